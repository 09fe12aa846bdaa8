//! From captured packets to SIP: link, IP and transport layers taken off, TCP put together.

use std::collections::HashMap;
use std::net::IpAddr;

use super::pcap::Captured;
use super::sip::{LARGEST, SipFault, SipMessage};

/// The most TCP connections that are followed at a time.
const MOST_FLOWS: usize = 1_024;

/// A SIP message, and who sent it.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The sender's address.
    pub from: IpAddr,
    /// The message.
    pub message: SipMessage,
}

/// What was in the packets besides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses {
    /// Pieces of packets that IP had cut up; they are not put together, so what was in them is missing.
    pub fragments: usize,
    /// Packets of which the capture kept a part only.
    pub cut: usize,
    /// Packets framed in a way that is not read.
    pub other_links: usize,
    /// TCP segments that were missing or out of order.
    pub gaps: usize,
}

/// The SIP messages in packets.
pub fn messages<'a>(packets: impl IntoIterator<Item = Captured<'a>>) -> (Vec<Sent>, Losses) {
    let mut reader = Reader::default();
    for packet in packets {
        reader.losses.cut += usize::from(packet.cut);
        match network(packet) {
            Some(ip) => reader.ip(ip),
            None => reader.losses.other_links += 1,
        }
    }
    (reader.found, reader.losses)
}

#[derive(Default)]
struct Reader {
    found: Vec<Sent>,
    losses: Losses,
    flows: HashMap<(IpAddr, IpAddr, [u8; 4]), Flow>,
}

/// One direction of a TCP connection.
struct Flow {
    next: u32,
    bytes: Vec<u8>,
}

/// A packet without its link layer (the LINKTYPE registry: 1 Ethernet, 0 and 108 loopback, 101, 12, 14, 228
/// and 229 bare IP, 113 and 276 Linux "cooked").
fn network(packet: Captured<'_>) -> Option<&[u8]> {
    let bytes = packet.bytes;
    match packet.link {
        1 => {
            let mut at = 12;
            // 802.1Q and 802.1ad tags stand before the type.
            while matches!(bytes.get(at..at + 2)?, [0x81, 0x00] | [0x88, 0xa8]) {
                at += 4;
            }
            bytes.get(at + 2..)
        }
        0 | 108 => bytes.get(4..),
        12 | 14 | 101 | 228 | 229 => Some(bytes),
        113 => bytes.get(16..),
        276 => bytes.get(20..),
        _ => None,
    }
}

impl Reader {
    fn ip(&mut self, ip: &[u8]) {
        let read = match ip.first().map(|first| first >> 4) {
            Some(4) => self.v4(ip),
            Some(6) => self.v6(ip),
            _ => None,
        };
        if let Some((protocol, from, to, payload)) = read {
            match protocol {
                17 => self.udp(from, payload),
                6 => self.tcp(from, to, payload),
                _ => {}
            }
        }
    }

    /// RFC 791 section 3.1.
    fn v4<'a>(&mut self, ip: &'a [u8]) -> Option<(u8, IpAddr, IpAddr, &'a [u8])> {
        let header = usize::from(ip.first()? & 0x0f) * 4;
        let length = usize::from(word(ip, 2)?).min(ip.len());
        // More fragments, or an offset.
        if word(ip, 6)? & 0x3fff != 0 {
            self.losses.fragments += 1;
            return None;
        }
        let address = |at: usize| Some(IpAddr::from(<[u8; 4]>::try_from(ip.get(at..at + 4)?).ok()?));
        // A length of 0 is what a network card that cuts packets up leaves behind.
        let end = if length == 0 { ip.len() } else { length };
        Some((
            *ip.get(9)?,
            address(12)?,
            address(16)?,
            ip.get(header.max(20)..end)?,
        ))
    }

    /// RFC 8200: the fixed header, and those extension headers that may stand before the transport.
    fn v6<'a>(&mut self, ip: &'a [u8]) -> Option<(u8, IpAddr, IpAddr, &'a [u8])> {
        let address = |at: usize| Some(IpAddr::from(<[u8; 16]>::try_from(ip.get(at..at + 16)?).ok()?));
        let (from, to) = (address(8)?, address(24)?);
        let (mut next, mut at) = (*ip.get(6)?, 40);
        loop {
            match next {
                0 | 43 | 60 => {
                    next = *ip.get(at)?;
                    at += 8 + usize::from(*ip.get(at + 1)?) * 8;
                }
                44 => {
                    self.losses.fragments += 1;
                    return None;
                }
                _ => return Some((next, from, to, ip.get(at..)?)),
            }
        }
    }

    fn udp(&mut self, from: IpAddr, datagram: &[u8]) {
        if let Some(payload) = datagram.get(8..)
            && let Ok((message, _)) = SipMessage::read(payload)
        {
            self.found.push(Sent { from, message });
        }
    }

    /// RFC 9293: segments in their order; those that come early or twice are left out and counted.
    fn tcp(&mut self, from: IpAddr, to: IpAddr, segment: &[u8]) {
        let read = (|| {
            let ports: [u8; 4] = segment.get(..4)?.try_into().ok()?;
            let sequence = u32::from_be_bytes(segment.get(4..8)?.try_into().ok()?);
            let header = usize::from(segment.get(12)? >> 4) * 4;
            Some((ports, sequence, *segment.get(13)?, segment.get(header..)?))
        })();
        let Some((ports, sequence, flags, payload)) = read else {
            return;
        };
        let key = (from, to, ports);
        let (finished, opens) = (flags & 0b101 != 0, flags & 0b10 != 0);
        if !self.flows.contains_key(&key) && self.flows.len() >= MOST_FLOWS {
            self.losses.gaps += 1;
            return;
        }
        let flow = self.flows.entry(key).or_insert_with(|| Flow {
            next: sequence.wrapping_add(u32::from(opens)),
            bytes: Vec::new(),
        });
        let begins = sequence.wrapping_add(u32::from(opens));
        if !payload.is_empty() {
            if begins == flow.next {
                flow.next = begins.wrapping_add(payload.len() as u32);
                flow.bytes.extend_from_slice(payload);
            } else if (begins.wrapping_sub(flow.next) as i32) > 0 {
                // What is missing will not come: begin again behind it.
                self.losses.gaps += 1;
                flow.bytes.clear();
                flow.bytes.extend_from_slice(payload);
                flow.next = begins.wrapping_add(payload.len() as u32);
            }
        }
        for message in taken(&mut flow.bytes) {
            self.found.push(Sent { from, message });
        }
        if finished {
            self.flows.remove(&key);
        }
    }
}

/// Takes the whole messages that a stream begins with; what can never become one is thrown away.
pub fn taken(bytes: &mut Vec<u8>) -> Vec<SipMessage> {
    let mut found = Vec::new();
    loop {
        // Line ends between messages keep connections open (RFC 5626 section 3.5.1).
        let blank = bytes
            .iter()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'))
            .count();
        bytes.drain(..blank);
        match SipMessage::read(bytes) {
            Ok((message, head)) => {
                let whole = head + message.body;
                if whole > bytes.len() {
                    break;
                }
                bytes.drain(..whole);
                found.push(message);
            }
            Err(SipFault::Unended) if bytes.len() <= LARGEST => break,
            Err(_) => {
                bytes.clear();
                break;
            }
        }
    }
    found
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    const MESSAGE: &[u8] = b"INVITE sip:a@h SIP/2.0\r\nCall-ID: c-1\r\nContent-Length: 2\r\n\r\nhi";

    /// An IPv4 packet; `fragment` goes where flags and offset are.
    pub fn v4(protocol: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
        let mut ip = vec![0x45, 0];
        ip.extend((20 + payload.len() as u16).to_be_bytes());
        ip.extend([0, 0]);
        ip.extend(fragment.to_be_bytes());
        ip.extend([64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        [&ip, payload].concat()
    }

    /// An IPv6 packet without extension headers.
    pub fn v6(next: u8, payload: &[u8]) -> Vec<u8> {
        let mut ip = vec![0x60, 0, 0, 0];
        ip.extend((payload.len() as u16).to_be_bytes());
        ip.extend([next, 64]);
        ip.extend([0x20; 32]);
        [&ip, payload].concat()
    }

    /// A UDP datagram from one port to the same, without a checksum.
    pub fn udp(payload: &[u8]) -> Vec<u8> {
        let length = 8 + payload.len() as u16;
        [
            &[0x13, 0xc4, 0x13, 0xc4][..],
            &length.to_be_bytes(),
            &[0, 0],
            payload,
        ]
        .concat()
    }

    fn tcp(sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut head = vec![0x13, 0xc4, 0x13, 0xc4];
        head.extend(sequence.to_be_bytes());
        head.extend([0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0]);
        [&head, payload].concat()
    }

    fn found(link: u16, packets: &[Vec<u8>]) -> (usize, Losses) {
        let captured = packets.iter().map(|bytes| Captured {
            link,
            bytes,
            cut: false,
        });
        let (found, losses) = messages(captured);
        assert!(found.iter().all(|sent| sent.message.call_id() == "c-1"));
        (found.len(), losses)
    }

    #[test]
    fn datagrams_are_found_under_every_link_and_both_ips() {
        let (four, six) = (v4(17, 0, &udp(MESSAGE)), v6(17, &udp(MESSAGE)));
        let options = [&[17, 0, 0, 0, 0, 0, 0, 0][..], &udp(MESSAGE)].concat();
        for ip in [four, six, v6(60, &options)] {
            let under = |head: &[u8]| vec![[head, &ip].concat()];
            for (link, packets) in [
                (101, under(&[])),
                (0, under(&[2, 0, 0, 0])),
                (1, under(&[&[0; 12][..], &[8, 0]].concat())),
                (1, under(&[&[0; 12][..], &[0x81, 0, 0, 7, 0x86, 0xdd]].concat())),
                (113, under(&[0; 16])),
                (276, under(&[0; 20])),
            ] {
                assert_eq!(found(link, &packets), (1, Losses::default()), "{link}");
            }
        }
        assert_eq!(found(127, &[vec![0; 80]]).1.other_links, 1);
    }

    #[test]
    fn fragments_are_said() {
        let packets = [
            v4(17, 0x2000, &udp(MESSAGE)),
            v4(17, 0x00b9, MESSAGE),
            v6(44, MESSAGE),
        ];
        assert_eq!(
            found(101, &packets),
            (
                0,
                Losses {
                    fragments: 3,
                    ..Losses::default()
                }
            )
        );
    }

    #[test]
    fn messages_come_out_of_a_tcp_stream_however_it_was_cut() {
        let stream = [MESSAGE, b"\r\n\r\n", MESSAGE].concat();
        for piece in [1, 7, 60, 500] {
            let mut packets = vec![v4(6, 0, &tcp(99, 0b10, b""))];
            let mut sequence = 100;
            for part in stream.chunks(piece) {
                packets.push(v4(6, 0, &tcp(sequence, 0b1000, part)));
                // Each is sent twice.
                packets.push(v4(6, 0, &tcp(sequence, 0b1000, part)));
                sequence += part.len() as u32;
            }
            assert_eq!(found(101, &packets), (2, Losses::default()), "{piece}");
        }
    }

    #[test]
    fn a_gap_is_said_and_the_next_message_is_found() {
        let packets = [
            v4(6, 0, &tcp(100, 0, &MESSAGE[..20])),
            v4(6, 0, &tcp(500, 0, MESSAGE)),
        ];
        assert_eq!(
            found(101, &packets),
            (
                1,
                Losses {
                    gaps: 1,
                    ..Losses::default()
                }
            )
        );
    }

    proptest! {
        #[test]
        fn no_packet_is_too_bad_to_be_looked_at(
            packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 0..20),
            link in prop::sample::select(vec![0_u16, 1, 101, 113, 276]),
            version in prop::sample::select(vec![0x45_u8, 0x60, 0x4f]),
        ) {
            let packets = packets.into_iter().map(|mut packet| {
                if link == 101 && let Some(first) = packet.first_mut() {
                    *first = version;
                }
                packet
            });
            let packets: Vec<Vec<u8>> = packets.collect();
            messages(packets.iter().map(|bytes| Captured { link, bytes, cut: false }));
        }
    }
}
