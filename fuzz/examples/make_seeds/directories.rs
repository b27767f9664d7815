//! What directories, domain controllers and SecurID servers answer.

use super::servers::element;
use super::write;

pub(super) fn ldap() {
    let message =
        |operation: &[u8], controls: &[u8]| element(0x30, &[&element(2, &[&[7]]), operation, controls]);
    let result = |tag: u8, code: u8, text: &str| {
        element(tag, &[&element(10, &[&[code]]), &element(4, &[]), &element(4, &[text.as_bytes()])])
    };
    let microsoft = "80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data 775, v3839";
    write("ldap_messages", "locked-out", &message(&result(0x61, 49, microsoft), &[]));
    let policy = element(0x30, &[&element(0xa0, &[&element(0x80, &[&[60]])]), &element(0x81, &[&[0]])]);
    let control = element(0x30, &[&element(4, &[b"1.3.6.1.4.1.42.2.27.8.5.1"]), &element(4, &[&policy])]);
    let controls = element(0xa0, &[&control]);
    write("ldap_messages", "password-policy", &message(&result(0x61, 0, ""), &controls));
    let url = element(4, &[b"ldap://dc2.corp.test/DC=corp,DC=test"]);
    let referral =
        [element(10, &[&[10]]), element(4, &[]), element(4, &[b"elsewhere"]), element(0xa3, &[&url])];
    write("ldap_messages", "referral", &message(&element(0x65, &[&referral.concat()]), &[]));
    write("ldap_messages", "reference", &message(&element(0x73, &[&url]), &[]));
    let values = element(
        0x31,
        &[&element(4, &[b"CN=vpn,DC=corp,DC=test"]), &element(4, &[b"CN=all,DC=corp,DC=test"])],
    );
    let attribute = element(0x30, &[&element(4, &[b"memberOf"]), &values]);
    let entry = element(0x64, &[&element(4, &[b"CN=joe,DC=corp,DC=test"]), &element(0x30, &[&attribute])]);
    write("ldap_messages", "entry", &message(&entry, &[]));
    write("ldap_messages", "start-tls", &message(&result(0x78, 0, ""), &[]));
}

pub(super) fn smb() {
    let message = |status: u32, command: u16, number: u64, body: &[u8]| {
        [
            &b"\xfeSMB\x40\0\0\0"[..],
            &status.to_le_bytes(),
            &command.to_le_bytes(),
            &[1, 0],
            &9u32.to_le_bytes(),
            &[0; 4],
            &number.to_le_bytes(),
            &[0; 8],
            &7u64.to_le_bytes(),
            &[0; 16],
            body,
        ]
        .concat()
    };
    let dialect = [&[65, 0, 1, 0, 0x10, 2][..], &[0; 58]].concat();
    write("smb_answers", "negotiated", &message(0, 0, 0, &dialect));
    let names = [&[1, 0, 6, 0][..], b"D\0C\x001\0", &[0, 0, 0, 0]].concat();
    let length = (names.len() as u16).to_le_bytes();
    let challenge = [
        &b"NTLMSSP\0\x02\0\0\0"[..],
        &[0; 8],
        &0x6288_8235u32.to_le_bytes(),
        &[0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef],
        &[0; 8],
        &length,
        &length,
        &56u32.to_le_bytes(),
        &[0; 8],
        &names,
    ]
    .concat();
    let set_up =
        |token: &[u8]| [&[9, 0, 0, 0, 72, 0][..], &(token.len() as u16).to_le_bytes(), token].concat();
    write("smb_answers", "challenge", &message(0xc000_0016, 1, 1, &set_up(&challenge)));
    write("smb_answers", "yes", &message(0, 1, 2, &set_up(&[])));
    write("smb_answers", "no", &message(0xc000_006d, 1, 2, &[9, 0, 0, 0, 0, 0, 0, 0]));
}

pub(super) fn sdi() {
    let answer = |code: &str, method: &str| {
        format!(
            r#"{{"context":{{"authnAttemptId":"a","messageId":"m","inResponseTo":"7"}},"credentialValidationResults":[{{"methodId":"SECURID","methodResponseCode":"SUCCESS"}}],"attemptResponseCode":"{code}","challengeMethods":{{"challenges":[{{"methodSetId":null,"requiredMethods":[{{"methodId":"{method}"}}]}}]}}}}"#
        )
    };
    write("sdi_answers", "success", answer("SUCCESS", "").as_bytes());
    write("sdi_answers", "next-tokencode", answer("CHALLENGE", "SECURID_NEXT_TOKENCODE").as_bytes());
    write("sdi_answers", "new-pin", answer("CHALLENGE", "SECURID_NEWPIN").as_bytes());
    write("sdi_answers", "fail", answer("FAIL", "SECURID").as_bytes());
}
