//! Why a packet is dropped. Each reason has a counter, so each has a name and a place in a table.

/// Declares the reasons with their names, and nothing else that could fall out of step.
macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal: $message:literal),+ $(,)?) => {
        /// Why a packet is dropped.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
        pub enum DropReason { $($(#[$doc])* #[error($message)] $variant),+ }

        impl DropReason {
            /// All of them, in the order of [`DropReason::index`].
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The name in log, metric and reports.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

reasons! {
    /// The packet ends before all parts that its suite has.
    Truncated = "truncated": "packet ends inside ESP",
    /// No association has this SPI.
    UnknownSpi = "unknown-spi": "no association has this SPI",
    /// Sequence number zero, which no sender uses (RFC 4303 section 2.2).
    SequenceZero = "sequence-zero": "sequence number zero",
    /// A sequence number that has been received.
    Replayed = "replayed": "sequence number received before",
    /// A sequence number left of the window.
    BehindWindow = "behind-window": "sequence number behind the window",
    /// Not whole blocks of the cipher.
    Alignment = "alignment": "not whole blocks",
    /// The check value is not that of the packet.
    Integrity = "integrity": "wrong check value",
    /// The padding is longer than the packet, or is not the sequence of RFC 4303 section 2.4.
    Padding = "padding": "wrong padding",
    /// A packet that a peer sends to hide how much it has to say (RFC 4303 section 2.6).
    Dummy = "dummy": "dummy packet",
    /// The next header is none that the mode carries.
    NextHeader = "next-header": "next header that the mode does not carry",
    /// The packet inside is not an IP packet of the announced version, or its header is wrong.
    InnerHeader = "inner-header": "wrong inner IP header",
    /// The packet inside is a fragment.
    InnerFragment = "inner-fragment": "inner fragment",
    /// The packet inside is not UDP.
    InnerProtocol = "inner-protocol": "inner packet is not UDP",
    /// The UDP header is cut short or says another length than there is.
    UdpLength = "udp-length": "wrong UDP length",
    /// The UDP checksum is wrong.
    UdpChecksum = "udp-checksum": "wrong UDP checksum",
    /// Traffic that the association was not negotiated for.
    Selector = "selector": "not the traffic that the association is for",
}

impl DropReason {
    /// Its place in an array of [`DropReason::COUNT`] counters.
    pub fn index(self) -> usize {
        self as usize
    }

    /// Whether the sequence number alone is the reason.
    pub fn is_replay(self) -> bool {
        matches!(self, Self::SequenceZero | Self::Replayed | Self::BehindWindow)
    }
}
