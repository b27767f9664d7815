//! What Libreswan reads, and how it is started.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use super::{Credential, Ipsec};
use crate::pki;

/// Starts pluto; its words appear on the console.
pub(super) const START: &str = r#"
modprobe -a esp4 xfrm_user af_key authenc cbc ctr gcm ecb sha512_generic md5 des_generic 2>/dev/null
cp -a /etc/ipsec.d /tmp/ipsec.d; mount --bind /tmp/ipsec.d /etc/ipsec.d
mkdir -p /tmp/nss /run/pluto; mount --bind /tmp/nss /var/lib/ipsec
mkdir -p /var/lib/ipsec/nss
for file in ipsec.conf ipsec.secrets; do chmod 600 /tmp/work/$file; mount --bind /tmp/work/$file /etc/$file; done
ipsec initnss > /tmp/nss.log 2>&1
[ -e /tmp/work/own.p12 ] && { pk12util -i /tmp/work/own.p12 -d sql:/var/lib/ipsec/nss -W x -K '' >> /tmp/nss.log 2>&1
  certutil -L -d sql:/var/lib/ipsec/nss | awk '/,,|c,,/ && !/^own/ && NR > 4 { $NF = ""; sub(/ +$/, ""); print }' | while read -r name; do
    certutil -M -n "$name" -t CT,, -d sql:/var/lib/ipsec/nss >> /tmp/nss.log 2>&1; done; }
{ ipsec pluto --config /etc/ipsec.conf --nofork --stderrlog 2>&1 | sed 's/^/pluto: /'; } >&3 2>&3 &
i=0; until ipsec whack --listen > /tmp/load 2>&1; do i=$((i+1)); [ $i = 50 ] && { cat /tmp/load; echo GUEST cannot listen: Libreswan is not ready; break; }; sleep 0.1; done
ipsec auto --add vpn || { cat /tmp/nss.log; echo GUEST cannot listen: Libreswan refuses the connection; }
"#;

/// Seconds before the end of a lifetime at which Libreswan negotiates anew.
const MARGIN: u32 = 5;

/// Fills `/tmp/work` with `ipsec.conf`, `ipsec.secrets` and the certificate.
pub(super) fn write(folder: &Path, ipsec: &Ipsec, own: Ipv4Addr) {
    let secrets = match &ipsec.credential {
        Credential::Key(key) => format!("%any %any : PSK \"{key}\"\n"),
        Credential::Certificate(issued) => {
            fs::write(folder.join("own.p12"), pki::pkcs12(issued, "own", "x")).expect("writable");
            String::new()
        }
    };
    fs::write(folder.join("ipsec.secrets"), secrets).expect("writable");
    fs::write(folder.join("ipsec.conf"), connection(ipsec, own)).expect("writable");
}

/// `ipsec.conf`
fn connection(ipsec: &Ipsec, own: Ipv4Addr) -> String {
    let yes = |is: bool| if is { "yes" } else { "no" };
    let mut lines = vec![
        "config setup".to_owned(),
        " uniqueids=no".to_owned(),
        " ikev1-policy=accept".to_owned(),
        "conn vpn".to_owned(),
        " ikev2=no".to_owned(),
        " auto=ignore".to_owned(),
        format!(" left={own}"),
        format!(
            " leftprotoport={}",
            if ipsec.port == 0 { "udp/%any".to_owned() } else { format!("udp/{}", ipsec.port) }
        ),
        format!(" right={}", ipsec.server),
        " rightprotoport=udp/1701".to_owned(),
        format!(" type={}", if ipsec.tunnel { "tunnel" } else { "transport" }),
        " pfs=no".to_owned(),
        format!(" aggressive={}", yes(ipsec.aggressive)),
        format!(" encapsulation={}", if ipsec.force_encapsulation { "yes" } else { "auto" }),
        format!(" ike={}", words(&ipsec.ike)),
        format!(" phase2alg={}", words(&ipsec.esp)),
    ];
    match &ipsec.credential {
        Credential::Key(_) => lines.push(" authby=secret".into()),
        Credential::Certificate(_) => {
            lines.extend(
                [" authby=rsasig", " leftcert=own", " leftsendcert=always", " rightca=%same"]
                    .map(String::from),
            );
            lines.push(format!(" rightid={}", ipsec.server_identity.as_deref().unwrap_or("%fromcert")));
        }
    }
    match &ipsec.identity {
        Some(identity) => {
            let group = identity.strip_prefix("keyid:").map(|name| format!("@[{name}]"));
            lines.push(format!(" leftid={}", group.as_ref().unwrap_or(identity)));
        }
        None if matches!(ipsec.credential, Credential::Certificate(_)) => {
            lines.push(" leftid=%fromcert".into())
        }
        None => {}
    }
    if ipsec.rekey_ike.is_some() || ipsec.rekey_child.is_some() {
        lines.push(format!(" rekeymargin={MARGIN}s\n rekeyfuzz=0%"));
    }
    if let Some(after) = ipsec.rekey_ike {
        lines.push(format!(" ikelifetime={}s", after + MARGIN));
    }
    if let Some(after) = ipsec.rekey_child {
        lines.push(format!(" salifetime={}s", after + MARGIN));
    }
    if let Some(after) = ipsec.dpd {
        lines.push(format!(" dpddelay={after}\n dpdtimeout={}\n dpdaction=clear", after * 4));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// strongSwan's words for algorithms in Libreswan's.
fn words(proposals: &str) -> String {
    let word = |word: &str| match word {
        "sha256" => "sha2_256".to_owned(),
        "sha384" => "sha2_384".to_owned(),
        "sha512" => "sha2_512".to_owned(),
        "ecp256" => "dh19".to_owned(),
        "ecp384" => "dh20".to_owned(),
        "ecp521" => "dh21".to_owned(),
        "aes128gcm16" => "aes_gcm128".to_owned(),
        "aes256gcm16" => "aes_gcm256".to_owned(),
        other => other.to_owned(),
    };
    proposals
        .split(',')
        .map(|proposal| proposal.trim().split('-').map(word).collect::<Vec<_>>().join("-"))
        .collect::<Vec<_>>()
        .join(",")
}
