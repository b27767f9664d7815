//! The far end of a TCP transfer each way, inside a namespace.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use crate::Namespace;

/// Listens on an address and port of the namespace, sends `octets` on the first connection and takes all of the second;
/// the thread gives how many those were.
pub fn serve(namespace: &Namespace, address: &str, octets: usize) -> JoinHandle<usize> {
    let address = address.to_owned();
    namespace.within(move || {
        let listener = TcpListener::bind(&address).expect("the namespace has the address");
        let (mut stream, _) = listener.accept().expect("the client connects");
        stream.write_all(&vec![b'd'; octets]).expect("it reads");
        drop(stream);
        let (mut stream, _) = listener.accept().expect("the client connects again");
        let mut received = Vec::new();
        stream.read_to_end(&mut received).expect("it writes");
        received.len()
    })
}
