//! Vendor ids: what a peer says it can do besides the RFCs.

/// NAT traversal as in RFC 3947 section 3.1.
pub const RFC_3947: [u8; 16] = *b"\x4a\x13\x1c\x81\x07\x03\x58\x45\x5c\x57\x28\xf2\x0e\x95\x45\x2f";
/// NAT traversal, draft 03.
pub const DRAFT_03: [u8; 16] = *b"\x7d\x94\x19\xa6\x53\x10\xca\x6f\x2c\x17\x9d\x92\x15\x52\x9d\x56";
/// NAT traversal, draft 02, as most hash its name.
pub const DRAFT_02: [u8; 16] = *b"\xcd\x60\x46\x43\x35\xdf\x21\xf8\x7c\xfd\xb2\xfc\x68\xb6\xa4\x48";
/// NAT traversal, draft 02, its name hashed with a line end.
pub const DRAFT_02_LINE_END: [u8; 16] = *b"\x90\xcb\x80\x91\x3e\xbb\x69\x6e\x08\x63\x81\xb5\xec\x42\x7b\x1f";
/// Dead peer detection (RFC 3706 section 5.1).
pub const DPD: [u8; 16] = *b"\xaf\xca\xd7\x13\x68\xa1\xf1\xc9\x6b\x86\x96\xfc\x77\x57\x01\x00";
/// Fragmentation of messages; a capability word may follow.
pub const FRAGMENTATION: [u8; 16] = *b"\x40\x48\xb7\xd5\x6e\xbc\xe8\x85\x25\xe7\xde\x7f\x00\xd6\xc2\xd3";
/// Microsoft's IKE; a version word follows.
pub const MICROSOFT: [u8; 16] = *b"\x1e\x2b\x51\x69\x05\x99\x1c\x7d\x7c\x96\xfc\xbf\xb5\x87\xe4\x61";

/// Which NAT traversal both sides speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NatTraversal {
    /// Drafts 02 and 03: other payload and encapsulation numbers.
    Draft,
    /// RFC 3947.
    Rfc3947,
}

/// A draft of NAT traversal, by the vendor id that announces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Draft {
    /// [`DRAFT_02`]
    Two,
    /// [`DRAFT_02_LINE_END`]
    TwoLineEnd,
    /// [`DRAFT_03`]
    Three,
}

/// What a peer's vendor ids told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vendor {
    /// NAT traversal, the best that it has.
    pub nat_traversal: Option<NatTraversal>,
    /// Which of the drafts to echo.
    pub draft: Option<Draft>,
    /// It answers R-U-THERE.
    pub dpd: bool,
    /// It takes fragments.
    pub fragmentation: bool,
    /// It is Microsoft's, of this version.
    pub microsoft: Option<u32>,
}

impl Vendor {
    /// Takes one vendor id into account.
    pub fn note(&mut self, id: &[u8]) {
        let Some((name, rest)) = id.split_first_chunk::<16>() else { return };
        match *name {
            RFC_3947 => self.nat_traversal = Some(NatTraversal::Rfc3947),
            DRAFT_02 => self.note_draft(Draft::Two),
            DRAFT_02_LINE_END => self.note_draft(Draft::TwoLineEnd),
            DRAFT_03 => self.note_draft(Draft::Three),
            FRAGMENTATION => self.fragmentation = true,
            MICROSOFT => {
                self.microsoft = Some(rest.first_chunk().map_or(0, |word| u32::from_be_bytes(*word)))
            }
            // The last two octets are versions.
            _ => self.dpd |= name.first_chunk::<14>() == DPD.first_chunk::<14>(),
        }
    }

    fn note_draft(&mut self, draft: Draft) {
        self.nat_traversal = self.nat_traversal.max(Some(NatTraversal::Draft));
        self.draft = self.draft.max(Some(draft));
    }

    /// All vendor ids of a message.
    pub fn of<'a>(ids: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut vendor = Self::default();
        ids.for_each(|id| vendor.note(id));
        vendor
    }

    /// The vendor id that confirms the common NAT traversal.
    pub fn nat_traversal_id(&self) -> Option<[u8; 16]> {
        match self.nat_traversal? {
            NatTraversal::Rfc3947 => Some(RFC_3947),
            NatTraversal::Draft => self.draft.map(|draft| match draft {
                Draft::Two => DRAFT_02,
                Draft::TwoLineEnd => DRAFT_02_LINE_END,
                Draft::Three => DRAFT_03,
            }),
        }
    }
}
