use super::*;
use crate::ids::SessionId;

fn session() -> Session {
    Session::new(SessionId::new(1).unwrap(), None, State::WaitTunnel { call: Box::default() })
}

#[test]
fn what_is_older_than_what_was_delivered_is_dropped_and_gaps_are_not_waited_for() {
    let mut session = session();
    assert_eq!(session.check_number(Some(0)), Ok(()));
    assert_eq!(session.check_number(Some(3)), Ok(()), "1 and 2 are lost or late");
    assert_eq!(session.check_number(Some(1)), Err(DropReason::OutOfSequence));
    assert_eq!(session.check_number(Some(3)), Err(DropReason::OutOfSequence), "a duplicate");
    assert_eq!(session.check_number(None), Ok(()), "without number there is no order");
    assert_eq!(session.check_number(Some(4)), Ok(()));
}

#[test]
fn data_numbers_wrap_and_the_edge_of_the_half_circle_is_old() {
    let mut session = session();
    session.expected_ns = 0xffff;
    assert_eq!(session.check_number(Some(0xffff)), Ok(()));
    assert_eq!(session.expected_ns, 0);
    assert_eq!(session.check_number(Some(0x8000)), Err(DropReason::OutOfSequence));
    assert_eq!(session.check_number(Some(0x7fff)), Ok(()));
}
