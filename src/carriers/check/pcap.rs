//! Packet captures: the classic format (libpcap's savefile) and pcapng (draft-ietf-opsawg-pcapng), both byte
//! orders, as far as whole packets need.

use thiserror::Error;

/// The most packets that are read of a capture.
const MOST_PACKETS: usize = 1_000_000;

/// The most interfaces of a pcapng section.
const MOST_INTERFACES: usize = 1_024;

/// A packet as it was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Captured<'a> {
    /// How it is framed: a LINKTYPE of the tcpdump group's registry.
    pub link: u16,
    /// Its bytes, as many as were kept.
    pub bytes: &'a [u8],
    /// Whether some were not.
    pub cut: bool,
}

/// Why a file is no capture that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PcapFault {
    /// Neither format begins so.
    #[error("this is neither a pcap nor a pcapng capture")]
    NotACapture,
    /// A block or record says it is longer than the file.
    #[error("the capture is cut or damaged at byte {at}")]
    Damaged {
        /// Where.
        at: usize,
    },
}

/// The packets of a capture, and what is wrong with its end if anything is; what comes before that counts.
#[derive(Debug, Default)]
pub struct Capture<'a> {
    /// The packets in their order.
    pub packets: Vec<Captured<'a>>,
    /// Where it is damaged, if it is.
    pub fault: Option<PcapFault>,
}

/// Whether a file begins as a capture does.
pub fn is_capture(bytes: &[u8]) -> bool {
    classic(bytes).is_some() || bytes.starts_with(&SECTION.to_le_bytes())
}

/// Reads a capture.
///
/// # Errors
/// [`PcapFault::NotACapture`].
pub fn read(bytes: &[u8]) -> Result<Capture<'_>, PcapFault> {
    if let Some(order) = classic(bytes) {
        return Ok(read_classic(bytes, order));
    }
    if bytes.starts_with(&SECTION.to_le_bytes()) {
        return Ok(read_blocks(bytes));
    }
    Err(PcapFault::NotACapture)
}

#[derive(Clone, Copy)]
enum Endian {
    Little,
    Big,
}

impl Endian {
    fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let two: [u8; 2] = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(match self {
            Self::Little => u16::from_le_bytes(two),
            Self::Big => u16::from_be_bytes(two),
        })
    }

    fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let four: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(match self {
            Self::Little => u32::from_le_bytes(four),
            Self::Big => u32::from_be_bytes(four),
        })
    }

    fn length(self, bytes: &[u8], at: usize) -> Option<usize> {
        usize::try_from(self.u32(bytes, at)?).ok()
    }
}

/// The byte order of the classic format, with times in micro- or nanoseconds.
fn classic(bytes: &[u8]) -> Option<Endian> {
    match Endian::Little.u32(bytes, 0)? {
        0xa1b2_c3d4 | 0xa1b2_3c4d => Some(Endian::Little),
        0xd4c3_b2a1 | 0x4d3c_b2a1 => Some(Endian::Big),
        _ => None,
    }
}

fn read_classic(bytes: &[u8], order: Endian) -> Capture<'_> {
    const HEADER: usize = 24;
    let mut capture = Capture::default();
    // The upper bits are about frame check sequences.
    let Some(link) = order.u32(bytes, 20).map(|link| (link & 0xffff) as u16) else {
        capture.fault = Some(PcapFault::Damaged { at: bytes.len() });
        return capture;
    };
    let mut at = HEADER;
    while at < bytes.len() && capture.packets.len() < MOST_PACKETS {
        let packet = (|| {
            let kept = order.length(bytes, at + 8)?;
            let length = order.length(bytes, at + 12)?;
            let begin = at + 16;
            let bytes = bytes.get(begin..begin.checked_add(kept)?)?;
            Some((bytes, kept < length, begin + kept))
        })();
        let Some((kept, cut, next)) = packet else {
            capture.fault = Some(PcapFault::Damaged { at });
            break;
        };
        capture.packets.push(Captured {
            link,
            bytes: kept,
            cut,
        });
        at = next;
    }
    capture
}

/// Section header block; the same in both byte orders.
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const SIMPLE: u32 = 3;
const ENHANCED: u32 = 6;

fn read_blocks(bytes: &[u8]) -> Capture<'_> {
    let mut capture = Capture::default();
    let (mut order, mut links, mut at) = (Endian::Little, Vec::new(), 0);
    while at < bytes.len() && capture.packets.len() < MOST_PACKETS {
        let Some((kind, body, next)) = block(bytes, at, &mut order) else {
            capture.fault = Some(PcapFault::Damaged { at });
            break;
        };
        match kind {
            SECTION => links.clear(),
            INTERFACE if links.len() < MOST_INTERFACES => links.extend(order.u16(body, 0)),
            ENHANCED => capture.packets.extend(enhanced(body, order, &links)),
            SIMPLE => {
                let length = order.length(body, 0).unwrap_or(0);
                let kept = body.get(4..).unwrap_or(&[]);
                let whole = kept.len().min(length);
                capture.packets.extend(links.first().map(|link| Captured {
                    link: *link,
                    bytes: &kept[..whole],
                    cut: whole < length,
                }));
            }
            _ => {}
        }
        at = next;
    }
    capture
}

/// A block's kind, its body and where the next one begins. A section's header says in which order.
fn block<'a>(bytes: &'a [u8], at: usize, order: &mut Endian) -> Option<(u32, &'a [u8], usize)> {
    let kind = order.u32(bytes, at)?;
    if kind == SECTION {
        *order = match Endian::Little.u32(bytes, at + 8)? {
            0x1a2b_3c4d => Endian::Little,
            0x4d3c_2b1a => Endian::Big,
            _ => return None,
        };
    }
    let length = order.length(bytes, at + 4)?;
    if length < 12 || length % 4 != 0 {
        return None;
    }
    let next = at.checked_add(length).filter(|next| *next <= bytes.len())?;
    Some((kind, bytes.get(at + 8..next - 4)?, next))
}

fn enhanced<'a>(body: &'a [u8], order: Endian, links: &[u16]) -> Option<Captured<'a>> {
    let interface = order.length(body, 0)?;
    let (kept, length) = (order.length(body, 12)?, order.length(body, 16)?);
    Some(Captured {
        link: *links.get(interface)?,
        bytes: body.get(20..20_usize.checked_add(kept)?)?,
        cut: kept < length,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn four(value: u32, big: bool) -> [u8; 4] {
        if big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    fn two(value: u16, big: bool) -> [u8; 2] {
        if big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    /// A classic capture of these packets.
    pub fn classic_file(link: u32, packets: &[&[u8]], big: bool) -> Vec<u8> {
        let (four, two) = (|value| four(value, big), |value| two(value, big));
        let mut file = four(0xa1b2_c3d4).to_vec();
        file.extend([two(2), two(4)].concat());
        file.extend([four(0), four(0), four(65_535), four(link)].concat());
        for packet in packets {
            let length = packet.len() as u32;
            file.extend([four(0), four(0), four(length), four(length)].concat());
            file.extend_from_slice(packet);
        }
        file
    }

    /// A pcapng capture of these packets.
    pub fn blocks_file(link: u16, packets: &[&[u8]], big: bool) -> Vec<u8> {
        let (four, two) = (|value| four(value, big), |value| two(value, big));
        let block = |kind: u32, mut body: Vec<u8>| {
            body.resize(body.len().next_multiple_of(4), 0);
            let length = four(body.len() as u32 + 12);
            [&four(kind)[..], &length, &body, &length].concat()
        };
        let section = [&four(0x1a2b_3c4d)[..], &two(1), &two(0), &[0xff; 8]].concat();
        let mut file = block(SECTION, section);
        file.extend(block(INTERFACE, [&two(link)[..], &two(0), &four(0)].concat()));
        for packet in packets {
            let length = four(packet.len() as u32);
            let head = [&four(0)[..], &four(0), &four(0), &length, &length].concat();
            file.extend(block(ENHANCED, [&head, *packet].concat()));
        }
        file
    }

    #[test]
    fn both_formats_are_read_in_both_byte_orders() {
        let packets = [&b"one"[..], b"", b"three!"];
        for big in [false, true] {
            for file in [classic_file(101, &packets, big), blocks_file(101, &packets, big)] {
                assert!(is_capture(&file));
                let capture = read(&file).unwrap();
                let found: Vec<_> = capture.packets.iter().map(|packet| packet.bytes).collect();
                assert_eq!((found, capture.fault), (packets.to_vec(), None), "big: {big}");
                assert!(
                    capture
                        .packets
                        .iter()
                        .all(|packet| packet.link == 101 && !packet.cut)
                );
            }
        }
    }

    #[test]
    fn of_a_damaged_capture_what_comes_before_counts() {
        for file in [
            classic_file(1, &[b"one", b"two"], false),
            blocks_file(1, &[b"one", b"two"], false),
        ] {
            let capture = read(&file[..file.len() - 3]).unwrap();
            assert_eq!(capture.packets.len(), 1);
            assert!(matches!(capture.fault, Some(PcapFault::Damaged { .. })));
        }
        assert_eq!(read(b"INVITE").map(|_| ()), Err(PcapFault::NotACapture));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_bad_to_be_looked_at(mut bytes in prop::collection::vec(any::<u8>(), 0..400), format in 0..3) {
            let good = match format {
                0 => classic_file(1, &[b"one", b"two"], false),
                1 => blocks_file(1, &[b"one", b"two"], true),
                _ => Vec::new(),
            };
            let keep = bytes.first().map_or(0, |byte| usize::from(*byte) % (good.len() + 1));
            bytes.splice(0..0, good[..keep].iter().copied());
            if let Ok(capture) = read(&bytes) {
                prop_assert!(capture.packets.iter().map(|packet| packet.bytes.len()).sum::<usize>() <= bytes.len());
            }
        }
    }
}
