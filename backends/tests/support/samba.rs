//! An Active Directory domain controller of our own, by Samba: LDAP, LDAPS, Kerberos and SMB on an address of 127/8 that
//! nobody else uses, gone when the test process ends, however it ends.
//!
//! Stands alone, so that other test suites can include it with `#[path = "..."]`. Needs root, since its ports are fixed,
//! and the Debian packages `samba`, `samba-ad-dc`, `samba-ad-provision`, `samba-dsdb-modules`, `samba-vfs-modules`,
//! `winbind`, `ldap-utils` and `openssl`.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "samba/trust.rs"]
pub mod trust;

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

const BINARY: &str = "/usr/sbin/samba";
const START_LIMIT: Duration = Duration::from_secs(60);
/// Kerberos, LDAP, SMB, change of Kerberos passwords, LDAPS.
const PORTS: [u16; 5] = [88, 389, 445, 464, 636];

/// The Kerberos realm, and the domain's name in DNS.
pub const REALM: &str = "CORP.TEST";
/// The domain's short name.
pub const DOMAIN: &str = "CORP";
/// Name of the whole directory.
pub const BASE: &str = "DC=corp,DC=test";
/// Where users are.
pub const USERS: &str = "CN=Users,DC=corp,DC=test";
/// The controller's name, which its certificate carries.
pub const HOST_NAME: &str = "dc1.corp.test";
/// Password of every user made here.
pub const PASSWORD: &str = "correct horse 1";
/// Password of `Administrator`.
pub const ADMINISTRATOR_PASSWORD: &str = "Adm1n-Pass!";
/// Wrong passwords in a row that lock an account; a right one begins anew.
pub const LOCKOUT_THRESHOLD: u32 = 8;

/// What a domain is called.
#[derive(Debug, Clone, Copy)]
struct Names {
    realm: &'static str,
    domain: &'static str,
    /// Of the controller, within the domain.
    host: &'static str,
}

const OURS: Names = Names { realm: REALM, domain: DOMAIN, host: "dc1" };

/// A running domain controller.
pub struct Samba {
    names: Names,
    folder: PathBuf,
    address: Ipv4Addr,
    process: Mutex<Option<(Child, ChildStdin)>>,
    log: Arc<Mutex<String>>,
}

impl Samba {
    /// The one of this test process, made when first wanted: that takes some seconds.
    ///
    /// It has the users `alice`, `bob` (in the group `outer` by way of `inner`, and in `direct`), `disabled`, `expired`,
    /// `mustchange`, `oldpassword`, `locked`, `hours` (never allowed), `workstation` (only from another), all with
    /// [`PASSWORD`].
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Samba> = OnceLock::new();
        SHARED.get_or_init(|| {
            let samba = Self::start();
            samba.add_users();
            samba
        })
    }

    /// Provisions and starts one without users, and waits until it serves.
    pub fn start() -> Self {
        assert!(Path::new(BINARY).exists(), "Samba is not installed; run `tests/run --install` as root");
        // Somebody else may take a free address before the server does: then another.
        for attempt in 1.. {
            let samba = Self::new(OURS);
            samba.provision();
            match samba.launch() {
                Ok(()) => return samba,
                Err(log) => assert!(attempt < 3, "Samba does not start:\n{log}"),
            }
        }
        unreachable!()
    }

    fn new(names: Names) -> Self {
        let (folder, address) = (new_folder(), free_address());
        Self { names, folder, address, process: Mutex::default(), log: Arc::default() }
    }

    /// Where it listens.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// PEM certificate of the authority that signed the controller's.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// What it printed.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Adds a user, with more lines of LDIF.
    pub fn add_user(&self, name: &str, password: &str, more: &str) {
        // Active Directory takes a password in quotes and UTF-16.
        let quoted: Vec<u8> = format!("\"{password}\"").encode_utf16().flat_map(u16::to_le_bytes).collect();
        self.change(&format!(
            "dn: CN={name},{USERS}\nchangetype: add\nobjectClass: user\nsAMAccountName: {name}\n\
             userPrincipalName: {name}@corp.test\nuserAccountControl: 512\nunicodePwd:: {}\n{more}\n",
            base64(&quoted)
        ));
    }

    /// Adds a group with these members, which are names below [`USERS`].
    pub fn add_group(&self, name: &str, members: &[&str]) {
        let members: String = members.iter().map(|member| format!("member: CN={member},{USERS}\n")).collect();
        let group =
            format!("dn: CN={name},{USERS}\nchangetype: add\nobjectClass: group\nsAMAccountName: {name}\n");
        self.change(&format!("{group}{members}\n"));
    }

    /// Replaces one attribute of a user.
    pub fn set(&self, name: &str, attribute: &str, value: &str) {
        self.change(&format!(
            "dn: CN={name},{USERS}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n"
        ));
    }

    /// Makes a password look as if it had been set on the second of January 2020, which the directory itself lets nobody
    /// do.
    pub fn age_password(&self, name: &str) {
        let script = "import sys\n\
            from samba import dsdb\n\
            from samba.auth import system_session\n\
            from samba.param import LoadParm\n\
            from samba.samdb import SamDB\n\
            parameters = LoadParm()\n\
            parameters.load(sys.argv[1])\n\
            url = parameters.private_path('sam.ldb')\n\
            database = SamDB(url=url, session_info=system_session(), lp=parameters)\n\
            change = 'dn: ' + sys.argv[2] + '\\nchangetype: modify\\nreplace: pwdLastSet\\n'\n\
            control = 'local_oid:%s:0' % dsdb.DSDB_CONTROL_BYPASS_PASSWORD_HASH_OID\n\
            database.modify_ldif(change + 'pwdLastSet: 132224000000000000\\n', [control])\n";
        // Debian's own interpreter, which has Samba's modules.
        let mut command = Command::new("/usr/bin/python3");
        let name = format!("CN={name},{USERS}");
        run(command.args(["-c", script]).arg(self.configuration()).arg(name), "");
    }

    /// Changes the directory by LDIF.
    pub fn change(&self, ldif: &str) {
        let mut command = Command::new("ldapmodify");
        let user = format!("Administrator@{}", REALM.to_lowercase());
        command.args([
            "-x",
            "-H",
            &format!("ldaps://{}", self.address),
            "-D",
            &user,
            "-w",
            ADMINISTRATOR_PASSWORD,
        ]);
        run(command.env("LDAPTLS_REQCERT", "never"), ldif);
    }

    /// Runs `samba-tool` on this directory.
    pub fn tool(&self, arguments: &[&str]) -> String {
        run(Command::new("samba-tool").args(arguments).arg("-s").arg(self.configuration()), "")
    }

    /// The command by which FreeRADIUS asks the controller's winbind, in the folder of which it has to be. The root is
    /// named too: to enter the mounts alone would leave a machine that is itself in a folder of another.
    pub fn ntlm_auth(&self) -> String {
        let [mounts, root] = self.inside();
        let configuration = self.configuration();
        let configuration = configuration.display();
        format!(
            "/usr/bin/nsenter {mounts} {root} /usr/bin/ntlm_auth --configfile={configuration} --allow-mschapv2"
        )
    }

    /// What `nsenter` has to be told for a command in the controller's place.
    fn inside(&self) -> [String; 2] {
        let shell = self.process.lock().unwrap().as_ref().expect("running").0.id();
        let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap();
        let unshare = children.split_whitespace().next().expect("the shell waits for it");
        [format!("--mount=/proc/{unshare}/ns/mnt"), format!("--root=/proc/{unshare}/root")]
    }

    /// The account's key (of every account without a principal) in a keytab.
    pub fn export_keytab(&self, principal: Option<&str>) -> PathBuf {
        let name = principal.unwrap_or("all").replace(['/', '@'], "-");
        let keytab = self.folder.join(format!("{name}.keytab"));
        let principal = principal.map(|principal| format!("--principal={principal}"));
        let path = keytab.to_str().unwrap().to_owned();
        let mut arguments = vec!["domain", "exportkeytab", &path];
        arguments.extend(principal.as_deref());
        self.tool(&arguments);
        keytab
    }

    /// A `krb5.conf` that knows this realm and no other.
    pub fn krb5_conf(&self) -> PathBuf {
        let file = self.folder.join("client-krb5.conf");
        let address = self.address;
        let text = format!(
            "[libdefaults]\ndefault_realm = {REALM}\ndns_lookup_kdc = false\ndns_lookup_realm = false\nrdns = false\n\
             [realms]\n{REALM} = {{\n  kdc = {address}\n  kpasswd_server = {address}\n}}\n"
        );
        fs::write(&file, text).unwrap();
        file
    }

    /// Ends it; its folder goes with it.
    pub fn stop(&self) {
        let Some((mut child, stdin)) = self.process.lock().unwrap().take() else { return };
        drop(stdin);
        let _ = child.wait();
    }

    fn configuration(&self) -> PathBuf {
        self.folder.join("etc/smb.conf")
    }

    fn provision(&self) {
        write_certificates(&self.folder);
        let address = self.address;
        let folder = self.folder.display();
        let Names { realm, domain, host } = self.names;
        run(
            Command::new("samba-tool").args(["domain", "provision"]).args([
                &format!("--realm={realm}"),
                &format!("--domain={domain}"),
                "--server-role=dc",
                "--dns-backend=NONE",
                &format!("--adminpass={ADMINISTRATOR_PASSWORD}"),
                &format!("--targetdir={folder}"),
                &format!("--host-name={host}"),
                &format!("--host-ip={address}"),
                &format!("--option=interfaces={address}/8"),
                "--option=bind interfaces only=yes",
            ]),
            "",
        );
        let file = self.configuration();
        let ours = format!(
            "[global]\n\
             pid directory = {folder}/run\n\
             ncalrpc dir = {folder}/run/ncalrpc\n\
             log file = {folder}/log.%m\n\
             tls certfile = {folder}/server.pem\n\
             tls keyfile = {folder}/server.key\n\
             tls cafile = {folder}/ca.pem\n\
             load printers = no\n\
             ntlm auth = mschapv2-and-ntlmv2-only\n\
             old password allowed period = 0\n\
             server services = ldap, cldap, kdc, s3fs, rpc, winbindd\n"
        );
        let is_ours =
            |line: &&str| ["server services", "log file"].iter().any(|key| line.trim().starts_with(key));
        let text = fs::read_to_string(&file).unwrap();
        let rest: String =
            text.lines().filter(|line| !is_ours(line)).map(|line| format!("{line}\n")).collect();
        fs::write(file, rest.replacen("[global]\n", &ours, 1)).unwrap();
        fs::create_dir_all(self.folder.join("run")).unwrap();
        let threshold = format!("--account-lockout-threshold={LOCKOUT_THRESHOLD}");
        let policy = [
            "--complexity=off",
            "--min-pwd-length=0",
            "--history-length=0",
            "--min-pwd-age=0",
            "--max-pwd-age=0",
            &threshold,
        ];
        self.tool(&[&["domain", "passwordsettings", "set"][..], &policy].concat());
    }

    fn launch(&self) -> Result<(), String> {
        // The shell ends the server when our end of its standard input closes, however this process ends. Processes of
        // Samba leave its group: a namespace of processes ends all of them. Winbind's socket has one place only, which
        // two controllers would fight for: each sees a folder of its own there, and its own name service where it has
        // one.
        let script = "mkdir -p /run/samba; \
                      unshare --mount --pid --fork --kill-child --mount-proc sh -c \
                        'mount -t tmpfs none /run/samba; \
                         [ ! -e \"$2/resolv.conf\" ] || mount --bind \"$2/resolv.conf\" /etc/resolv.conf; \
                         [ ! -e \"$2/krb5.conf\" ] || export KRB5_CONFIG=\"$2/krb5.conf\"; \
                         \"$0\" -F --no-process-group --debug-stdout -s \"$1\"; exit' \
                        \"$0\" \"$1\" \"$2\" & server=$!; exec >&- 2>&-; read -r _; kill -9 $server; wait; rm -rf \"$2\"";
        let mut child = Command::new("sh")
            .args(["-c", script, BINARY])
            .arg(self.configuration())
            .arg(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh starts");
        let stdin = child.stdin.take().expect("piped");
        let mut stdout = child.stdout.take().expect("piped");
        *self.process.lock().unwrap() = Some((child, stdin));
        let log = Arc::clone(&self.log);
        let reader = std::thread::spawn(move || {
            let mut octets = [0; 4096];
            while let Ok(length @ 1..) = stdout.read(&mut octets) {
                log.lock().unwrap().push_str(&String::from_utf8_lossy(&octets[..length]));
            }
        });
        let begun = Instant::now();
        let serves = |port: &u16| TcpStream::connect((self.address, *port)).is_ok();
        while begun.elapsed() < START_LIMIT && !reader.is_finished() {
            if PORTS.iter().all(serves) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self.stop();
        Err(self.log())
    }

    fn add_users(&self) {
        for (name, more) in [
            ("alice", ""),
            ("bob", ""),
            ("disabled", ""),
            // The second of January 2020.
            ("expired", "accountExpires: 132224000000000000\n"),
            ("mustchange", "pwdLastSet: 0\n"),
            ("oldpassword", ""),
            ("locked", ""),
            ("hours", "logonHours:: AAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"),
            ("workstation", "userWorkstations: ELSEWHERE\n"),
        ] {
            self.add_user(name, PASSWORD, more);
        }
        self.set("disabled", "userAccountControl", "514");
        self.add_group("inner", &["bob"]);
        self.add_group("outer", &["inner"]);
        self.add_group("direct", &["bob"]);
        // Passwords under this policy last for two days.
        self.change(&format!(
            "dn: CN=brief,CN=Password Settings Container,CN=System,{BASE}\nchangetype: add\n\
             objectClass: msDS-PasswordSettings\nmsDS-PasswordSettingsPrecedence: 1\n\
             msDS-PasswordReversibleEncryptionEnabled: FALSE\nmsDS-PasswordHistoryLength: 0\n\
             msDS-PasswordComplexityEnabled: FALSE\nmsDS-MinimumPasswordLength: 0\n\
             msDS-MinimumPasswordAge: 0\nmsDS-MaximumPasswordAge: -1728000000000\nmsDS-LockoutThreshold: 0\n\
             msDS-LockoutObservationWindow: -600000000\nmsDS-LockoutDuration: -600000000\n\
             msDS-PSOAppliesTo: CN=oldpassword,{USERS}\n"
        ));
        self.age_password("oldpassword");
        for _ in 0..LOCKOUT_THRESHOLD {
            let mut command = Command::new("ldapwhoami");
            command.args([
                "-x",
                "-H",
                &format!("ldaps://{}", self.address),
                "-D",
                "locked@corp.test",
                "-w",
                "wrong",
            ]);
            let _ = command.env("LDAPTLS_REQCERT", "never").output();
        }
    }
}

impl Drop for Samba {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("Samba said:\n{}", self.log());
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn write_certificates(folder: &Path) {
    let script = format!(
        "set -e\n\
         openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
           -subj '/CN=Authority of CORP' -keyout ca.key -out ca.pem\n\
         openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj '/CN={HOST_NAME}' \
           -keyout server.key -out server.csr\n\
         printf 'subjectAltName=DNS:{HOST_NAME}\\n' > extensions\n\
         openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 \
           -extfile extensions -out server.pem\n\
         chmod 600 server.key\n"
    );
    run(Command::new("sh").args(["-c", &script]).current_dir(folder), "");
}

fn run(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; run `tests/run --install` as root"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?} failed:\n{said}\n{input}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn base64(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in octets.chunks(3) {
        let bits =
            chunk.iter().fold(0u32, |sum, &octet| sum << 8 | u32::from(octet)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * place)) as usize & 63];
            out.push(if place <= chunk.len() { digit.into() } else { '=' });
        }
    }
    out
}

/// An address of 127/8 on whose ports nobody listens.
fn free_address() -> Ipv4Addr {
    for attempt in 0..100u32 {
        let [a, b, c, ..] = RandomState::new().hash_one((std::process::id(), attempt)).to_be_bytes();
        // 127.0 is for everybody.
        let address = Ipv4Addr::new(127, a.clamp(1, 254), b, c.clamp(1, 254));
        let bound = PORTS.map(|port| TcpListener::bind((address, port)));
        if let Some(Err(error)) = bound.iter().find(|bound| bound.is_err())
            && error.kind() == std::io::ErrorKind::PermissionDenied
        {
            panic!("a domain controller needs the ports below 1024; run the tests as root");
        }
        if bound.iter().all(Result::is_ok) {
            return address;
        }
    }
    panic!("no address of 127/8 is free");
}

fn new_folder() -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("tollgate-samba-{}-{count}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}
