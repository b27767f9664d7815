//! TCP MSS clamping: a SYN that promises larger segments than the link carries is rewritten on its way through, for
//! the many networks in which path MTU discovery does not work (RFC 4459 3.2).

const TCP: u8 = 6;
const SYN: u8 = 0x02;
const END_OF_OPTIONS: u8 = 0;
const NO_OPERATION: u8 = 1;
const MAXIMUM_SEGMENT_SIZE: u8 = 2;
/// IPv4 and TCP headers without options, which is what an MSS assumes (RFC 6691 2).
const HEADERS: u16 = 40;
/// Below this an MSS would do more harm than good; 536 is what every host must take (RFC 9293 3.7.1).
const SMALLEST: u16 = 536;

/// Rewrites the MSS option of a TCP SYN (or SYN-ACK) in place so that full segments fit `mtu` octets of IPv4 packet;
/// the TCP checksum is updated incrementally (RFC 1624). Returns true if anything was changed.
///
/// Anything that is not a whole or first-fragment TCP SYN over IPv4 with a well-formed MSS option larger than allowed
/// is left alone. A SYN without the option is left alone too: its absence already means 536.
pub fn clamp_mss(ipv4_packet: &mut [u8], mtu: u16) -> bool {
    let limit = mtu.saturating_sub(HEADERS).max(SMALLEST);
    tcp_segment(ipv4_packet).and_then(|segment| clamp_segment(segment, limit)).is_some()
}

/// The TCP segment of an unfragmented IPv4 packet, cut to the IPv4 total length.
fn tcp_segment(packet: &mut [u8]) -> Option<&mut [u8]> {
    let &[version_length, _, total_high, total_low, _, _, flags_offset, offset_low, _, protocol, ..] =
        &*packet
    else {
        return None;
    };
    let header = usize::from(version_length & 0x0F) * 4;
    let total = usize::from(u16::from_be_bytes([total_high, total_low]));
    // More-fragments or an offset: a SYN is never fragmented by an honest sender, and a later fragment has no header.
    let fragmented = (u16::from_be_bytes([flags_offset, offset_low]) & 0x3FFF) != 0;
    if version_length >> 4 != 4 || header < 20 || protocol != TCP || fragmented {
        return None;
    }
    packet.get_mut(header..total)
}

fn clamp_segment(segment: &mut [u8], limit: u16) -> Option<()> {
    let flags = *segment.get(13)?;
    if flags & SYN == 0 {
        return None;
    }
    let header = usize::from(segment.get(12)? >> 4) * 4;
    let mut at = 20;
    let value_at = loop {
        if at >= header {
            return None;
        }
        match *segment.get(at)? {
            END_OF_OPTIONS => return None,
            NO_OPERATION => at += 1,
            MAXIMUM_SEGMENT_SIZE if *segment.get(at + 1)? == 4 && at + 4 <= header => break at + 2,
            _ => {
                let length = usize::from(*segment.get(at + 1)?);
                if length < 2 {
                    return None;
                }
                at += length;
            }
        }
    };
    let old = read_u16(segment, value_at)?;
    if old <= limit {
        return None;
    }
    let checksum = read_u16(segment, 16)?;
    // The option may start at an odd offset; then its octets sit in the other halves of the 16-bit words.
    let (old_word, new_word) =
        if value_at.is_multiple_of(2) { (old, limit) } else { (old.swap_bytes(), limit.swap_bytes()) };
    write_u16(segment, value_at, limit)?;
    write_u16(segment, 16, update_checksum(checksum, old_word, new_word))
}

/// RFC 1624 equation 3: HC' = ~(~HC + ~m + m').
fn update_checksum(checksum: u16, old: u16, new: u16) -> u16 {
    let mut sum = u32::from(!checksum) + u32::from(!old) + u32::from(new);
    sum = (sum & 0xFFFF) + (sum >> 16);
    sum = (sum & 0xFFFF) + (sum >> 16);
    !u16::try_from(sum).unwrap_or(0)
}

fn read_u16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_be_bytes)
}

fn write_u16(bytes: &mut [u8], at: usize, value: u16) -> Option<()> {
    *bytes.get_mut(at..)?.first_chunk_mut()? = value.to_be_bytes();
    Some(())
}

#[cfg(test)]
mod tests;
