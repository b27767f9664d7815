//! `ike-scan`: single IKE messages from a program that is neither client nor server, and what came back.

use crate::{Namespace, need};

/// Runs `ike-scan` inside the namespace; `arguments` as in its manual, the address last. Two tries, a second apart; its
/// source port is any.
pub fn ike_scan(namespace: &Namespace, arguments: &[&str]) -> String {
    let mut command = namespace.command(need::program("ike-scan"));
    command.args(["--sport=0", "--retry=2", "--timeout=1000", "--nodns"]).args(arguments);
    let output = command.output().expect("ike-scan can be run");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}
