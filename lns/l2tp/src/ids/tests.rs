use std::collections::HashSet;

use super::*;

#[test]
fn every_id_of_a_shard_comes_once_before_any_comes_again() {
    for shard_bits in [0, 1, 4, 12] {
        let ids = IdSpace { shard: 5 & ((1 << shard_bits) - 1), shard_bits };
        let mut order = IdOrder::new(ids, &mut Entropy::from_seed([3; 32]));
        let usable = ids.slots() - usize::from(ids.shard == 0);
        let seen: HashSet<_> = (0..usable).map(|_| order.next_id()).collect();
        assert_eq!(seen.len(), usable, "{shard_bits} bits");
        assert!(seen.iter().all(|id| ids.shard_of(id.get()) == ids.shard));
    }
}

#[test]
fn ids_do_not_come_in_a_row() {
    let mut order = IdOrder::new(IdSpace::whole(), &mut Entropy::from_seed([9; 32]));
    let first = order.next_id().get();
    let second = order.next_id().get();
    let third = order.next_id().get();
    assert_ne!(second.wrapping_sub(first), third.wrapping_sub(second));
}

#[test]
fn slots_and_ids_are_two_ways_to_say_the_same() {
    let ids = IdSpace { shard: 3, shard_bits: 2 };
    assert_eq!(ids.id_at(7).map(TunnelId::get), Some(31));
    assert_eq!(ids.slot_of(31), Some(7));
    assert_eq!(ids.slot_of(30), None, "an id of another shard has no place here");
    assert_eq!(IdSpace::whole().id_at(0), None);
}

#[test]
fn too_many_shard_bits_leave_some_ids() {
    let ids = IdSpace { shard: 1, shard_bits: 40 };
    assert_eq!(ids.slots(), 16);
}
