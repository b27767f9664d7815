//! Two domains of which the first trusts the second, and the name service by which their controllers find each other.

use std::fs;
use std::net::Ipv4Addr;
use std::process::{Child, ChildStdin, Command, Stdio};

use super::{ADMINISTRATOR_PASSWORD, Names, OURS, PASSWORD, Samba, run};

/// The other domain's short name.
pub const OTHER_DOMAIN: &str = "OTHER";
const OTHER: Names = Names { realm: "OTHER.TEST", domain: OTHER_DOMAIN, host: "dc2" };

/// Answers for the SRV and A records of the domains on its arguments, `REALM HOST ADDRESS` each, at the address that
/// comes first. It ends with its standard input.
const NAME_SERVICE: &str = r#"
import select, socket, sys
import dns.flags, dns.message, dns.rcode, dns.rdatatype, dns.rrset
ports = {"_ldap": 389, "_kerberos": 88, "_kpasswd": 464, "_gc": 3268}
words = sys.argv[2:]
domains = {words[i].lower(): (words[i + 1] + "." + words[i].lower(), words[i + 2]) for i in range(0, len(words), 3)}
listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.bind((sys.argv[1], 53))
print("ready", flush=True)
while sys.stdin not in (ready := select.select([listener, sys.stdin], [], [])[0]):
    octets, peer = listener.recvfrom(4096)
    answer = dns.message.make_response(dns.message.from_wire(octets))
    answer.flags |= dns.flags.AA | dns.flags.RA
    asked = answer.question[0]
    name, kind = asked.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(asked.rdtype)
    domain = next((domain for domain in domains if name == domain or name.endswith("." + domain)), None)
    if domain is None:
        answer.set_rcode(dns.rcode.NXDOMAIN)
    else:
        host, address = domains[domain]
        record = lambda name, kind, text: dns.rrset.from_text(name, 60, "IN", kind, text)
        if kind == "SRV" and name.split(".")[0] in ports:
            port = ports[name.split(".")[0]]
            answer.answer.append(record(asked.name, kind, f"0 100 {port} {host}."))
            answer.additional.append(record(host + ".", "A", address))
        elif kind == "A" and name in (host, domain):
            answer.answer.append(record(asked.name, kind, address))
    listener.sendto(answer.to_wire(), peer)
"#;

/// A domain and another that it trusts, whose user `eve` has [`PASSWORD`].
pub struct Trusting {
    /// The domain of [`super::REALM`].
    pub ours: Samba,
    /// The one that it trusts.
    pub other: Samba,
    _names: NameService,
}

impl Trusting {
    /// Provisions and starts both, and makes the trust.
    pub fn start() -> Self {
        let [ours, other] = [OURS, OTHER].map(Samba::new);
        let names = NameService::start(&[&ours, &other]);
        std::thread::scope(|scope| {
            for samba in [&ours, &other] {
                scope.spawn(|| {
                    samba.provision();
                    samba.find_others_by(ours.address);
                    samba.launch().unwrap_or_else(|log| panic!("Samba does not start:\n{log}"));
                });
            }
        });
        ours.trust(&other);
        other.tool(&["user", "create", "eve", PASSWORD]);
        Self { ours, other, _names: names }
    }
}

impl Samba {
    fn find_others_by(&self, address: Ipv4Addr) {
        let realm = self.names.realm;
        fs::write(self.folder.join("resolv.conf"), format!("nameserver {address}\n")).unwrap();
        let kerberos = format!(
            "[libdefaults]\ndefault_realm = {realm}\ndns_lookup_kdc = true\ndns_lookup_realm = false\nrdns = false\n"
        );
        fs::write(self.folder.join("krb5.conf"), kerberos).unwrap();
    }

    fn trust(&self, other: &Self) {
        let administrator = format!("{}\\Administrator%{ADMINISTRATOR_PASSWORD}", other.names.domain);
        let mut command = Command::new("nsenter");
        command.args(self.inside()).args(["samba-tool", "domain", "trust", "create", other.names.realm]);
        command.args(["--type=external", "--direction=outgoing", "--create-location=both", "-U"]);
        command.arg(administrator).arg("-s").arg(self.configuration());
        run(command.env("KRB5_CONFIG", self.folder.join("krb5.conf")), "");
    }
}

/// Ends when our end of its standard input closes, however this process ends.
struct NameService(Child, Option<ChildStdin>);

impl NameService {
    /// At the first one's address.
    fn start(domains: &[&Samba]) -> Self {
        let mut command = Command::new("/usr/bin/python3");
        command.args(["-c", NAME_SERVICE]).args(domains.first().map(|samba| samba.address.to_string()));
        for Samba { names, address, .. } in domains {
            command.args([names.realm, names.host, &address.to_string()]);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is there with Samba");
        let input = child.stdin.take();
        let mut ready = [0; "ready\n".len()];
        let read = std::io::Read::read_exact(&mut child.stdout.take().expect("piped"), &mut ready);
        read.expect("the name service listens");
        Self(child, input)
    }
}

impl Drop for NameService {
    fn drop(&mut self) {
        drop(self.1.take());
        let _ = self.0.wait();
    }
}
