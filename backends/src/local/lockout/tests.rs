use super::*;

const LOCKOUT: Lockout = Lockout { attempts: 3, time: Duration::from_secs(60) };

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
}

#[test]
fn the_third_failure_locks_for_a_minute() {
    let mut failures = Failures::default();
    assert!(!LOCKOUT.failed(&mut failures, "joe", at(0)));
    assert!(!LOCKOUT.failed(&mut failures, "joe", at(1)));
    assert!(!LOCKOUT.is_locked(&failures, "joe", at(1)));
    assert!(LOCKOUT.failed(&mut failures, "joe", at(2)));
    assert!(LOCKOUT.is_locked(&failures, "joe", at(61)));
    assert!(!LOCKOUT.is_locked(&failures, "ann", at(3)));
    // Trying on does not prolong it.
    assert!(!LOCKOUT.failed(&mut failures, "joe", at(50)));
    assert!(!LOCKOUT.is_locked(&failures, "joe", at(62)));
    // And the count begins anew.
    assert!(!LOCKOUT.failed(&mut failures, "joe", at(63)));
}

#[test]
fn a_right_password_forgets() {
    let mut failures = Failures::default();
    LOCKOUT.failed(&mut failures, "joe", at(0));
    LOCKOUT.failed(&mut failures, "joe", at(0));
    assert!(failures.forget("joe"));
    assert!(!failures.forget("joe"));
    assert!(!LOCKOUT.failed(&mut failures, "joe", at(1)));
}

#[test]
fn zero_attempts_switch_it_off() {
    let never = Lockout { attempts: 0, ..LOCKOUT };
    let mut failures = Failures::default();
    for _ in 0..100 {
        assert!(!never.failed(&mut failures, "joe", at(0)));
    }
    assert!(!never.is_locked(&failures, "joe", at(0)));
    assert_eq!(failures, Failures::default());
}

#[test]
fn a_clock_set_back_does_not_lock_for_ever() {
    let mut failures = Failures::default();
    for _ in 0..3 {
        LOCKOUT.failed(&mut failures, "joe", at(1_000_000));
    }
    assert!(!LOCKOUT.is_locked(&failures, "joe", at(0)));
}

#[test]
fn the_state_file_round_trips_and_is_tidied() {
    let mut failures = Failures::default();
    LOCKOUT.failed(&mut failures, "joe@acme.example", at(0));
    LOCKOUT.failed(&mut failures, r"ACME\ann", at(100));
    assert_eq!(Failures::parse(&failures.render()), Ok(failures.clone()));
    LOCKOUT.tidy(&mut failures, at(101));
    assert!(!failures.forget("joe@acme.example"));
    assert!(failures.forget(r"ACME\ann"));
    assert_eq!(Failures::parse(&Failures::default().render()), Ok(Failures::default()));
    assert!(Failures::parse("user = 3").is_err());
}
