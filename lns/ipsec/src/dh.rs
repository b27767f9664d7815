//! Diffie-Hellman.
