use super::*;

fn question(authenticator: u8) -> Question {
    Question { authenticator: [authenticator; 16], mailbox: Arc::default(), disbelief: None }
}

#[test]
fn identifiers_are_used_in_turn_and_never_twice_at_once() {
    let mut slots = Slots::new();
    let now = Instant::now();
    let taken: Vec<u8> = std::iter::from_fn(|| slots.take(now)).collect();
    assert_eq!(taken, (0..=255).collect::<Vec<u8>>());
    slots.release(9, None);
    slots.release(3, None);
    assert_eq!((slots.take(now), slots.take(now), slots.take(now)), (Some(9), Some(3), None));
}

#[test]
fn an_identifier_rests_while_a_late_answer_may_come() {
    let mut slots = Slots::new();
    let now = Instant::now();
    while slots.take(now).is_some() {}
    slots.release(7, Some(now));
    assert_eq!(slots.take(now + REST - Duration::from_millis(1)), None);
    assert_eq!(slots.take(now + REST), Some(7));
    // Unless there is no other left.
    slots.release(8, Some(now));
    slots.release(9, Some(now));
    assert_eq!((slots.take(now), slots.take_resting()), (None, Some(8)));
}

#[test]
fn only_the_question_that_was_meant_is_answered_and_only_once() {
    let mut slots = Slots::new();
    slots.arm(5, question(1));
    assert!(slots.answer(5, &[2; 16]).is_none());
    assert!(slots.answer(5, &[1; 16]).is_some());
    assert!(slots.answer(5, &[1; 16]).is_none());
    assert!(slots.question(5).is_none());
}

#[test]
fn a_release_tells_what_was_not_believed() {
    let mut slots = Slots::new();
    slots.arm(5, question(1));
    slots.disbelieve(5, &[2; 16], Disbelief::Authenticator);
    slots.disbelieve(5, &[1; 16], Disbelief::NoMessageAuthenticator);
    assert_eq!(slots.release(5, None), Some(Disbelief::NoMessageAuthenticator));
    assert_eq!(slots.release(6, None), None);
}
