//! The AVPs of a control message: none reaches beyond its message, and a broken one ends the list.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_l2tp::avp::Avps;

fuzz_target!(|body: &[u8]| {
    let mut used = 0;
    let mut broken = false;
    for avp in Avps::new(body) {
        assert!(!broken, "read on behind a broken AVP");
        match avp {
            Ok(avp) => {
                assert_eq!(avp.value, &body[used + 6..used + 6 + avp.value.len()]);
                used += 6 + avp.value.len();
            }
            Err(_) => broken = true,
        }
    }
    assert!(broken || used == body.len());
});
