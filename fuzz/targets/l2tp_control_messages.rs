//! Control messages with header, hidden AVPs included: what can be read can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_l2tp::ControlHeader;
use tollgate_l2tp::avp::hidden::Hiding;
use tollgate_l2tp::message::{Message, Reading};
use tollgate_sansio::Entropy;

const SECRET: &[u8] = b"lac secret";

fuzz_target!(|octets: &[u8]| {
    let Some((choice, datagram)) = octets.split_first() else { return };
    let Ok((header, body)) = ControlHeader::decode(datagram) else { return };
    let again = header.encode(body);
    let (header_again, body_again) = ControlHeader::decode(&again).expect("our own header");
    assert_eq!((header, body), (header_again, body_again));

    let reading = Reading {
        secret: (choice & 1 != 0).then_some(SECRET),
        ignore_unknown_mandatory_vendor_avps: choice & 2 != 0,
    };
    let peeked = Message::peek_type(body);
    let Ok(decoded) = Message::decode(body, &reading) else { return };
    assert_eq!(peeked, Some(decoded.message.message_type()));
    // The first writing puts right what is taken but never sent, such as a missing error code. An AVP that is cut to
    // what fits may end inside a character.
    let hide = choice & 5 == 5;
    let once = again_of(&decoded.message, hide);
    let twice = again_of(&once, hide);
    assert!(once == twice || body.len() > 300, "{once:?} became {twice:?}");
});

fn again_of(message: &Message, hide: bool) -> Message {
    let mut entropy = Entropy::from_seed([3; 32]);
    let hiding = hide.then_some(Hiding { secret: SECRET, entropy: &mut entropy });
    let written = message.encode(hiding);
    let reading = Reading { secret: Some(SECRET), ..Reading::default() };
    let read = Message::decode(&written, &reading).expect("our own message").message;
    assert_eq!(read.message_type(), message.message_type());
    read
}
