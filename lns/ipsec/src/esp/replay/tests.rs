use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// What the window must do, said as plainly as possible: every number ever received, and the highest of them.
#[derive(Default)]
struct Model {
    received: BTreeSet<u32>,
}

impl Model {
    fn receive(&mut self, size: u32, sequence: u32) -> Result<(), DropReason> {
        let highest = self.received.last().copied().unwrap_or(0);
        if sequence == 0 {
            return Err(DropReason::SequenceZero);
        }
        if u64::from(sequence) + u64::from(size) <= u64::from(highest) {
            return Err(DropReason::BehindWindow);
        }
        if self.received.insert(sequence) { Ok(()) } else { Err(DropReason::Replayed) }
    }
}

fn receive(window: &mut ReplayWindow, sequence: u32) -> Result<(), DropReason> {
    window.check(sequence)?;
    window.mark(sequence);
    Ok(())
}

/// How the next number lies to the one before: mostly near, at times at an edge of the window or a word, at times far.
fn step() -> impl Strategy<Value = i64> {
    prop_oneof![
        8 => -3_i64..=3,
        4 => -70_i64..=70,
        2 => -4200_i64..=4200,
        1 => prop::sample::select(vec![63, 64, 65, 1023, 1024, 1025, 4095, 4096, 4097, 8192]),
        1 => prop::sample::select(vec![-63, -64, -65, -1023, -1024, -1025, -4095, -4096, -4097]),
        1 => any::<u32>().prop_map(i64::from),
    ]
}

proptest! {
    #[test]
    fn the_window_agrees_with_a_list_of_all_numbers(
        size in prop_oneof![Just(64_u32), Just(65), Just(127), Just(128), Just(1024), Just(4096), 64_u32..=4096],
        start in prop_oneof![Just(0_u32), Just(u32::MAX), Just(u32::MAX - 5000), any::<u32>()],
        steps in prop::collection::vec(step(), 1..400),
    ) {
        let mut window = ReplayWindow::new(size).unwrap();
        let mut model = Model::default();
        let mut sequence = i64::from(start);
        for step in steps {
            // Beyond either end of the numbers there is nothing: the sequence does not wrap.
            sequence = (sequence + step).clamp(0, i64::from(u32::MAX));
            let number = u32::try_from(sequence).unwrap();
            prop_assert_eq!(receive(&mut window, number), model.receive(size, number), "number {}", number);
        }
    }

    #[test]
    fn any_order_within_the_window_is_taken_once(
        size in 64_u32..=4096,
        base in 1_u32..=u32::MAX - 4096,
        seed in any::<u64>(),
    ) {
        let mut numbers: Vec<u32> = (base..base + size).collect();
        let mut state = seed | 1;
        for index in (1..numbers.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            numbers.swap(index, (state >> 33) as usize % (index + 1));
        }
        let mut window = ReplayWindow::new(size).unwrap();
        for number in &numbers {
            prop_assert_eq!(receive(&mut window, *number), Ok(()));
        }
        for number in numbers {
            prop_assert_eq!(receive(&mut window, number), Err(DropReason::Replayed));
        }
    }
}

#[test]
fn a_number_at_the_edge_is_taken_and_the_one_behind_it_is_not() {
    for size in [64, 65, 100, 1024, 4096] {
        let mut window = ReplayWindow::new(size).unwrap();
        receive(&mut window, 10_000).unwrap();
        assert_eq!(receive(&mut window, 10_000 - size), Err(DropReason::BehindWindow), "{size}");
        assert_eq!(receive(&mut window, 10_001 - size), Ok(()), "{size}");
        assert_eq!(receive(&mut window, 10_001 - size), Err(DropReason::Replayed), "{size}");
    }
}

#[test]
fn the_last_number_is_taken_once_and_nothing_follows_it() {
    let mut window = ReplayWindow::new(64).unwrap();
    assert_eq!(receive(&mut window, u32::MAX), Ok(()));
    assert_eq!(receive(&mut window, u32::MAX), Err(DropReason::Replayed));
    assert_eq!(receive(&mut window, 0), Err(DropReason::SequenceZero));
    assert_eq!(receive(&mut window, 1), Err(DropReason::BehindWindow));
    assert_eq!(receive(&mut window, u32::MAX - 63), Ok(()));
}

#[test]
fn a_check_alone_remembers_nothing() {
    let mut window = ReplayWindow::new(64).unwrap();
    assert_eq!(window.check(u32::MAX), Ok(()));
    assert_eq!(window.check(u32::MAX), Ok(()));
    assert_eq!(receive(&mut window, 1), Ok(()));
}

#[test]
fn sizes_that_are_not_offered_are_refused() {
    for size in [0, 1, 63, 4097, u32::MAX] {
        assert!(ReplayWindow::new(size).is_none(), "{size}");
    }
}
