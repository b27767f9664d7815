//! Hashes, keyed hashes and block ciphers as IKEv1 uses them.
