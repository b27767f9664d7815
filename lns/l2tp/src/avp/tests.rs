use tollgate_sansio::Entropy;

use super::*;

fn read(octets: &[u8]) -> Vec<Result<RawAvp<'_>, BadAvp>> {
    Avps::new(octets).collect()
}

#[test]
fn an_avp_is_read_field_by_field() {
    let avps = read(&[0x80, 0x08, 0, 0, 0, 9, 0x12, 0x34, 0x40, 0x07, 1, 0x37, 0, 1, 0xff]);
    assert_eq!(
        avps,
        [
            Ok(RawAvp {
                mandatory: true,
                hidden: false,
                reserved: false,
                vendor: 0,
                attribute: 9,
                value: &[0x12, 0x34]
            }),
            Ok(RawAvp {
                mandatory: false,
                hidden: true,
                reserved: false,
                vendor: 311,
                attribute: 1,
                value: &[0xff]
            }),
        ]
    );
}

#[test]
fn an_avp_that_leaves_the_message_ends_the_reading() {
    for octets in [
        &[0x80, 0x09, 0, 0, 0, 9, 1, 2][..],
        &[0x80, 0x05, 0, 0, 0, 9],
        &[0x80, 0x00, 0, 0, 0, 9],
        &[0x80, 0x01],
        &[0x83, 0xff, 0, 0, 0, 7, 1],
        &[0x80],
    ] {
        assert_eq!(read(octets), [Err(BadAvp)], "{octets:02x?}");
    }
    assert_eq!(read(&[]), []);
}

#[test]
fn the_longest_value_fits_and_a_longer_one_is_cut() {
    let mut writer = AvpWriter::new(MessageType::Sccrq, None);
    writer.put(Attribute::HostName, &[b'x'; 2000]);
    let body = writer.finish();
    let name = read(&body)[1].unwrap();
    assert_eq!(name.value.len(), MAX_VALUE);
}

#[test]
fn hidden_avps_stand_behind_one_vector_and_what_may_not_be_hidden_is_not() {
    let mut entropy = Entropy::from_seed([4; 32]);
    let hiding = Hiding { secret: b"secret", entropy: &mut entropy };
    let mut writer = AvpWriter::new(MessageType::Sccrp, Some(hiding));
    writer.put(Attribute::HostName, b"lns");
    writer.put(Attribute::AssignedTunnelId, &[0, 7]);
    writer.put(Attribute::Challenge, &[1; 2000]);
    let body = writer.finish();
    let avps: Vec<_> = read(&body).into_iter().map(Result::unwrap).collect();
    let numbers: Vec<_> = avps.iter().map(|avp| (avp.attribute, avp.hidden)).collect();
    assert_eq!(numbers, [(0, false), (7, false), (36, false), (9, true), (11, true)]);
    let vector = avps[2].value;
    assert_eq!(hidden::reveal(9, b"secret", vector, avps[3].value).unwrap().as_slice(), [0, 7]);
    assert_eq!(hidden::reveal(11, b"secret", vector, avps[4].value).unwrap().len(), MAX_HIDDEN);
}
