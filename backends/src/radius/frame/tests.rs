use super::*;

fn packet(length: u16) -> Vec<u8> {
    let mut packet = vec![2, 7];
    packet.extend_from_slice(&length.to_be_bytes());
    packet.resize(usize::from(length).max(4), 0xaa);
    packet
}

#[test]
fn packets_come_out_whole_however_the_stream_is_cut() {
    let lengths = [20, 4096, 21, 20, 300];
    let stream: Vec<u8> = lengths.iter().flat_map(|length| packet(*length)).collect();
    for piece in [1, 2, 3, 19, 20, 21, 4095, 4096, 5000] {
        let (mut frames, mut got) = (Frames::default(), Vec::new());
        for octets in stream.chunks(piece) {
            frames.take_in(octets);
            while let Some(packet) = frames.next_packet().unwrap() {
                got.push(packet.to_vec());
            }
            assert!(frames.buffer.len() < 4096 + piece);
        }
        assert_eq!(got, lengths.map(packet), "cut after {piece} octets");
        assert!(!frames.is_halfway());
    }
}

#[test]
fn an_impossible_length_is_told_at_once_and_nothing_follows_it() {
    for length in [0u16, 1, 19, 4097, 0xffff] {
        let mut frames = Frames::default();
        frames.take_in(&packet(20));
        frames.take_in(&[2, 9]);
        assert_eq!(frames.next_packet().unwrap().map(<[u8]>::len), Some(20));
        assert_eq!(frames.next_packet(), Ok(None));
        frames.take_in(&length.to_be_bytes());
        assert_eq!(frames.next_packet(), Err(Malformed::Length(length)));
        frames.take_in(&packet(20));
        assert_eq!(frames.next_packet(), Err(Malformed::Length(length)));
    }
}

#[test]
fn a_packet_that_has_begun_is_known_to_be_halfway() {
    let mut frames = Frames::default();
    assert!(!frames.is_halfway());
    frames.take_in(&packet(20)[..7]);
    assert_eq!(frames.next_packet(), Ok(None));
    assert!(frames.is_halfway());
}
