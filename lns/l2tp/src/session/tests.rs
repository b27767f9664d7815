use std::collections::HashSet;

use super::*;

fn waiting(id: SessionId) -> Session {
    Session::new(id, None, State::WaitTunnel { call: Box::default() })
}

#[test]
fn an_idle_session_is_small() {
    assert!(size_of::<Session>() <= 64, "{} octets", size_of::<Session>());
    assert!(size_of::<Option<Session>>() <= 64);
}

#[test]
fn sessions_are_found_by_id_alone_while_the_table_grows_and_shrinks() {
    let mut table = SessionTable::new(0xfff0);
    let ids: Vec<_> = (0..1000).map(|_| table.insert(waiting).unwrap()).collect();
    assert_eq!(table.len(), 1000);
    for id in &ids {
        assert_eq!(table.get(id.get()).unwrap().id, *id);
    }
    for id in ids.iter().step_by(2) {
        assert!(table.remove(*id).is_some());
        assert!(table.remove(*id).is_none());
    }
    for (at, id) in ids.iter().enumerate() {
        assert_eq!(table.get(id.get()).is_some(), at % 2 == 1);
    }
    assert_eq!(table.take_all().count(), 500);
    assert_eq!(table.len(), 0);
    assert!(table.get(ids[1].get()).is_none());
}

#[test]
fn an_id_does_not_come_again_soon_and_an_old_one_finds_no_other_session() {
    let mut table = SessionTable::new(7);
    let mut seen = HashSet::new();
    for _ in 0..10_000 {
        let id = table.insert(waiting).unwrap();
        assert!(seen.insert(id));
        table.remove(id);
        assert!(table.get(id.get()).is_none());
    }
}

#[test]
fn a_tunnel_has_65535_sessions_and_no_more() {
    let mut table = SessionTable::new(0);
    for _ in 0..65_535 {
        assert!(table.insert(waiting).is_some());
    }
    assert!(table.insert(waiting).is_none());
    assert!(table.free_id().is_none());
    let id = SessionId::new(4711).unwrap();
    table.remove(id);
    assert_eq!(table.insert(waiting), Some(id));
}

#[test]
fn zero_is_in_no_table() {
    let mut table = SessionTable::new(0xffff);
    assert!(table.get(0).is_none());
    assert_eq!(table.insert(waiting).map(SessionId::get), Some(1));
    assert!(table.get(0).is_none());
}
