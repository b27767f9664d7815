//! The tunnels of an endpoint by our id: one step through an index of the shard's ids, no hashing.

use slab::Slab;
use tollgate_sansio::Entropy;

use crate::ids::{IdOrder, IdSpace, TunnelId};
use crate::tunnel::Tunnel;

#[derive(Debug)]
pub(crate) struct TunnelTable {
    ids: IdSpace,
    order: IdOrder,
    /// For each id of the shard the tunnel's place in `tunnels` plus one; zero where there is none.
    index: Vec<u32>,
    tunnels: Slab<Box<Tunnel>>,
}

impl TunnelTable {
    pub(crate) fn new(ids: IdSpace, entropy: &mut Entropy) -> Self {
        Self { ids, order: IdOrder::new(ids, entropy), index: vec![0; ids.slots()], tunnels: Slab::new() }
    }

    fn entry(&self, id: u16) -> Option<usize> {
        let entry = *self.index.get(self.ids.slot_of(id)?)?;
        usize::try_from(entry.checked_sub(1)?).ok()
    }

    pub(crate) fn get(&self, id: u16) -> Option<&Tunnel> {
        self.tunnels.get(self.entry(id)?).map(|tunnel| &**tunnel)
    }

    pub(crate) fn get_mut(&mut self, id: u16) -> Option<&mut Tunnel> {
        let entry = self.entry(id)?;
        self.tunnels.get_mut(entry).map(|tunnel| &mut **tunnel)
    }

    /// Whether this id, if any tunnel has it, belongs to a tunnel of this table and not to one of another shard.
    pub(crate) fn owns(&self, id: u16) -> bool {
        id == 0 || self.ids.slot_of(id).is_some()
    }

    /// An id that no tunnel has; `None` when every id is in use.
    pub(crate) fn free_id(&mut self) -> Option<TunnelId> {
        // A full table is told by its size: the search would go through every id for each request of a flood.
        if self.tunnels.len() + 1 >= self.ids.slots() {
            return None;
        }
        for _ in 0..self.ids.slots() {
            let id = self.order.next_id();
            if self.entry(id.get()).is_none() {
                return Some(id);
            }
        }
        None
    }

    /// Adds a tunnel under the id it has, which must be one from [`TunnelTable::free_id`].
    pub(crate) fn insert(&mut self, tunnel: Tunnel) {
        let slot = self.ids.slot_of(tunnel.id.get()).and_then(|slot| self.index.get_mut(slot));
        if let Some(slot) = slot {
            let entry = self.tunnels.insert(Box::new(tunnel));
            *slot = u32::try_from(entry + 1).unwrap_or(0);
        }
    }

    pub(crate) fn remove(&mut self, id: TunnelId) -> Option<Box<Tunnel>> {
        let entry = self.entry(id.get())?;
        if let Some(slot) = self.ids.slot_of(id.get()).and_then(|slot| self.index.get_mut(slot)) {
            *slot = 0;
        }
        self.tunnels.try_remove(entry)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Tunnel> {
        self.tunnels.iter().map(|(_, tunnel)| &**tunnel)
    }
}
