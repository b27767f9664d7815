//! The header of a data message: the frame lies inside the datagram, and the shard is chosen by the same tunnel id.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_l2tp::{ControlHeader, DataHeader, peek_tunnel_id};

fuzz_target!(|datagram: &[u8]| {
    let peeked = peek_tunnel_id(datagram);
    if datagram.first().is_some_and(|flags| flags & 0x80 != 0) {
        if let Ok((header, _)) = ControlHeader::decode(datagram) {
            assert_eq!(peeked, Some(header.tunnel));
        }
        return;
    }
    if let Ok(header) = DataHeader::decode(datagram) {
        assert!(!header.frame.is_empty() && header.frame.end <= datagram.len() && header.frame.start >= 6);
        assert_eq!(peeked, Some(header.tunnel));
    }
});
