//! What strongSwan reads, and how it is started.

use std::fs;
use std::path::Path;

use super::{Credential, Ipsec};

/// Starts charon; its words appear on the console.
pub(super) const START: &str = r#"
modprobe -a esp4 xfrm_user af_key authenc cbc ctr gcm ecb sha512_generic md5 des_generic 2>/dev/null
export STRONGSWAN_CONF=/tmp/work/strongswan.conf SWANCTL_DIR=/tmp/work/swanctl
{ /usr/lib/ipsec/charon 2>&1 | sed 's/^/charon: /'; } >&3 2>&3 &
i=0; until [ -S /run/charon.vici ] || [ $i = 100 ]; do i=$((i+1)); sleep 0.1; done
swanctl --load-all > /tmp/load 2>&1 || { cat /tmp/load; echo GUEST cannot listen: strongSwan is not ready; }
"#;

const SETTINGS: &str = r#"
charon {
    load = aes sha1 sha2 md5 hmac random nonce gmp curve25519 gcm ctr openssl pem pkcs1 pkcs7 pkcs8 pkcs12 x509 revocation constraints pubkey kernel-netlink socket-default vici counters
    i_dont_care_about_security_and_use_aggressive_mode_psk = yes
    retransmit_timeout = 2
    retransmit_tries = 4
    keep_alive = 20
    filelog {
        stderr {
            default = 1
            ike = 2
            cfg = 1
            flush_line = yes
        }
    }
}
swanctl {
    load = pem pkcs1 pkcs8 pkcs12 x509 random openssl
}
"#;

/// Seconds from negotiating anew to the end of a lifetime.
const MARGIN: u32 = 10;

/// Whether a guest calls or is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// Fills `/tmp/work` with `strongswan.conf` and `swanctl/`.
pub(super) fn write(folder: &Path, ipsec: &Ipsec, side: Side) {
    let swanctl = folder.join("swanctl");
    for part in [
        "bliss", "ecdsa", "pkcs12", "pkcs8", "private", "pubkey", "rsa", "x509", "x509aa", "x509ac",
        "x509ca", "x509crl", "x509ocsp",
    ] {
        fs::create_dir_all(swanctl.join(part)).expect("writable");
    }
    fs::write(folder.join("strongswan.conf"), SETTINGS).expect("writable");
    fs::write(swanctl.join("swanctl.conf"), connection(ipsec, side)).expect("writable");
    if let Credential::Certificate(issued) = &ipsec.credential {
        fs::write(swanctl.join("x509/own.pem"), &issued.certificate).expect("writable");
        fs::write(swanctl.join("private/own.pem"), &issued.key).expect("writable");
        for (number, authority) in issued.authorities.iter().enumerate() {
            fs::write(swanctl.join(format!("x509ca/{number}.pem")), authority).expect("writable");
        }
    }
}

/// `swanctl.conf`
fn connection(ipsec: &Ipsec, side: Side) -> String {
    let yes = |is: bool| if is { "yes" } else { "no" };
    let (auth, own, secrets) = match &ipsec.credential {
        Credential::Key(key) => {
            ("psk", "", format!("secrets {{\n ike-vpn {{\n secret = \"{key}\"\n }}\n}}\n"))
        }
        Credential::Certificate(_) => ("pubkey", "certs = own.pem\n", String::new()),
    };
    let (remote, timing) = match side {
        Side::Client => (format!("remote_addrs = {}", ipsec.server), "keyingtries = 1\nunique = replace"),
        Side::Server => ("remote_addrs = %any".to_owned(), "unique = never"),
    };
    let own_id = ipsec.identity.as_ref().map(|id| format!("id = \"{id}\"\n")).unwrap_or_default();
    let other_id = ipsec.server_identity.as_deref().unwrap_or("%any");
    let rekey_ike = ipsec
        .rekey_ike
        .map(|after| format!("rekey_time = {after}s\n over_time = {MARGIN}s\n rand_time = 0s\n"))
        .unwrap_or_default();
    let rekey_child = ipsec
        .rekey_child
        .map(|after| format!("rekey_time = {after}s\n life_time = {}s\n rand_time = 0s\n", after + MARGIN))
        .unwrap_or_default();
    let dpd = ipsec.dpd.map(|after| format!("dpd_delay = {after}s\n")).unwrap_or_default();
    format!(
        "connections {{
 vpn {{
  version = 1
  aggressive = {aggressive}
  {remote}
  {timing}
  proposals = {ike}
  encap = {encap}
  {rekey_ike}{dpd}
  local {{
   auth = {auth}
   {own}{own_id}
  }}
  remote {{
   auth = {auth}
   id = \"{other_id}\"
  }}
  children {{
   l2tp {{
    mode = {mode}
    esp_proposals = {esp}
    {selectors}
    {rekey_child}
   }}
  }}
 }}
}}
{secrets}",
        aggressive = yes(ipsec.aggressive),
        ike = ipsec.ike,
        esp = ipsec.esp,
        encap = yes(ipsec.force_encapsulation),
        mode = if ipsec.tunnel { "tunnel" } else { "transport" },
        selectors = selectors(ipsec, side),
    )
}

/// What the association carries: L2TP alone.
fn selectors(ipsec: &Ipsec, side: Side) -> String {
    let any_port = |port: u16| if port == 0 { "[17]".to_owned() } else { format!("[17/{port}]") };
    match side {
        Side::Client if ipsec.tunnel => {
            format!("local_ts = dynamic{}\nremote_ts = {}/32[17/1701]", any_port(ipsec.port), ipsec.server)
        }
        Side::Client => format!("local_ts = dynamic{}\nremote_ts = dynamic[17/1701]", any_port(ipsec.port)),
        Side::Server => "local_ts = dynamic[17/1701]\nremote_ts = dynamic[17]".to_owned(),
    }
}
