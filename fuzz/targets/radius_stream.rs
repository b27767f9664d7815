//! What a RADIUS server sends on a stream: packets come out whole however the stream is cut, and after the first wrong
//! length none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_backends::radius::frame::Frames;
use tollgate_backends::radius::packet::Packet;

/// What comes out of a stream in pieces of this many octets, and whether it went wrong.
fn packets(stream: &[u8], piece: usize) -> (Vec<Vec<u8>>, bool) {
    let (mut frames, mut packets) = (Frames::default(), Vec::new());
    for octets in stream.chunks(piece) {
        frames.take_in(octets);
        loop {
            match frames.next_packet() {
                Ok(Some(packet)) => packets.push(packet.to_vec()),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(frames.next_packet(), Err(error), "it does not heal");
                    return (packets, true);
                }
            }
        }
    }
    (packets, false)
}

fuzz_target!(|data: &[u8]| {
    let Some((&piece, stream)) = data.split_first() else { return };
    let (whole, wrong) = packets(stream, stream.len().max(1));
    assert_eq!(packets(stream, usize::from(piece) + 1), (whole.clone(), wrong));
    // Nothing is made up and nothing is left out.
    let joined = whole.concat();
    assert!(stream.starts_with(&joined));
    for packet in &whole {
        assert!((20..=4096).contains(&packet.len()));
        if let Ok(parsed) = Packet::parse(packet) {
            assert_eq!(parsed.octets(), packet);
        }
    }
    if !wrong {
        assert!(stream.len() - joined.len() < 4096);
    }
});
