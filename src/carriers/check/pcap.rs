//! Packet captures: the classic format (libpcap's savefile) and pcapng (draft-ietf-opsawg-pcapng), both byte
//! orders, as far as whole packets need. `pcap-parser` reads records and blocks; here is what is kept of them, how much
//! at most, and where a damaged capture ends.

use pcap_parser::pcapng::{Block, SHB_MAGIC, parse_block_be, parse_block_le};
use pcap_parser::{Linktype, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_header};
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
    /// A block or record is not what it says it is, or longer than the file.
    #[error("the capture is cut or damaged at byte {at}")]
    Damaged {
        /// Offset of the fault in the file, in bytes.
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
    format(bytes).is_some()
}

/// Reads a capture.
///
/// # Errors
/// [`PcapFault::NotACapture`].
pub fn read(bytes: &[u8]) -> Result<Capture<'_>, PcapFault> {
    match format(bytes).ok_or(PcapFault::NotACapture)? {
        Format::Classic => Ok(read_classic(bytes)),
        Format::Blocks => Ok(read_blocks(bytes)),
    }
}

enum Format {
    Classic,
    Blocks,
}

/// The format by a file's first four bytes; the classic one has times in micro- or nanoseconds.
fn format(bytes: &[u8]) -> Option<Format> {
    match u32::from_le_bytes(*bytes.first_chunk()?) {
        SHB_MAGIC => Some(Format::Blocks),
        0xa1b2_c3d4 | 0xa1b2_3c4d | 0xd4c3_b2a1 | 0x4d3c_b2a1 => Some(Format::Classic),
        _ => None,
    }
}

fn read_classic(bytes: &[u8]) -> Capture<'_> {
    let mut capture = Capture::default();
    let Ok((mut rest, header)) = parse_pcap_header(bytes) else {
        capture.fault = Some(PcapFault::Damaged { at: bytes.len() });
        return capture;
    };
    let link = registered(header.network);
    let parse = if header.is_bigendian() {
        parse_pcap_frame_be
    } else {
        parse_pcap_frame
    };
    while !rest.is_empty() && capture.packets.len() < MOST_PACKETS {
        let Ok((next, record)) = parse(rest) else {
            let at = bytes.len() - rest.len();
            capture.fault = Some(PcapFault::Damaged { at });
            break;
        };
        capture.packets.push(Captured {
            link,
            bytes: record.data,
            cut: record.caplen < record.origlen,
        });
        rest = next;
    }
    capture
}

fn read_blocks(bytes: &[u8]) -> Capture<'_> {
    let mut capture = Capture::default();
    let (mut parse, mut links, mut rest): (fn(_) -> _, _, _) = (parse_block_le, Vec::new(), bytes);
    while !rest.is_empty() && capture.packets.len() < MOST_PACKETS {
        let Ok((next, block)) = parse(rest) else {
            let at = bytes.len() - rest.len();
            capture.fault = Some(PcapFault::Damaged { at });
            break;
        };
        match block {
            Block::SectionHeader(section) => {
                links.clear();
                parse = if section.big_endian() {
                    parse_block_be
                } else {
                    parse_block_le
                };
            }
            Block::InterfaceDescription(interface) if links.len() < MOST_INTERFACES => {
                links.push(registered(interface.linktype));
            }
            Block::EnhancedPacket(packet) => {
                let link = usize::try_from(packet.if_id).ok().and_then(|at| links.get(at));
                capture.packets.extend(link.map(|link| Captured {
                    link: *link,
                    bytes: kept(packet.data, packet.caplen),
                    cut: packet.caplen < packet.origlen,
                }));
            }
            Block::SimplePacket(packet) => {
                let bytes = kept(packet.data, packet.origlen);
                capture.packets.extend(links.first().map(|link| Captured {
                    link: *link,
                    bytes,
                    cut: bytes.len() < packet.origlen as usize,
                }));
            }
            _ => {}
        }
        rest = next;
    }
    capture
}

/// The number of a link type in the registry; the upper bits are about frame check sequences.
fn registered(link: Linktype) -> u16 {
    (link.0 & 0xffff) as u16
}

/// A block's bytes without what fills it up to a multiple of four.
fn kept(data: &[u8], length: u32) -> &[u8] {
    usize::try_from(length)
        .ok()
        .and_then(|length| data.get(..length))
        .unwrap_or(data)
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
        let mut file = block(SHB_MAGIC, section);
        file.extend(block(1, [&two(link)[..], &two(0), &four(0)].concat()));
        for packet in packets {
            let length = four(packet.len() as u32);
            let head = [&four(0)[..], &four(0), &four(0), &length, &length].concat();
            file.extend(block(6, [&head, *packet].concat()));
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
