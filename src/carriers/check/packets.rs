//! From captured packets to SIP: `etherparse` takes link, IP and transport layers off, TCP is put together here.

use std::collections::HashMap;
use std::net::IpAddr;

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TcpSlice, TransportSlice};

use super::pcap::Captured;
use super::sip::{LARGEST, SipFault, SipMessage};

/// The most TCP connections that are followed at a time.
const MOST_FLOWS: usize = 1_024;

/// A SIP message, and who sent it.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The sender's address.
    pub from: IpAddr,
    /// What it sent.
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
    let mut reader = PacketReader::default();
    for packet in packets {
        reader.losses.cut += usize::from(packet.cut);
        match sliced(packet) {
            Some(packet) => reader.packet(&packet),
            None => reader.losses.other_links += 1,
        }
    }
    (reader.found, reader.losses)
}

#[derive(Default)]
struct PacketReader {
    found: Vec<Sent>,
    losses: Losses,
    flows: HashMap<(IpAddr, IpAddr, [u16; 2]), Flow>,
}

/// One direction of a TCP connection.
struct Flow {
    next: u32,
    bytes: Vec<u8>,
}

/// A packet from its IP header on (the LINKTYPE registry: 1 Ethernet, 0 and 108 loopback, 101, 12, 14, 228 and 229
/// bare IP, 113 and 276 Linux "cooked"). Lengths that a network card or a short capture left wrong are passed over.
fn sliced(packet: Captured<'_>) -> Option<LaxSlicedPacket<'_>> {
    let bare = |header: usize| {
        let ip = packet.bytes.get(header..)?;
        // What is no IP is no loss: nothing in it could be SIP.
        Some(
            LaxSlicedPacket::from_ip(ip)
                .unwrap_or_else(|_| LaxSlicedPacket::from_ether_type(EtherType(0), ip)),
        )
    };
    match packet.link {
        1 => LaxSlicedPacket::from_ethernet(packet.bytes).ok(),
        0 | 108 => bare(4),
        12 | 14 | 101 | 228 | 229 => bare(0),
        113 => bare(16),
        276 => bare(20),
        _ => None,
    }
}

/// The addresses of an IP packet, from and to.
fn addresses(net: &LaxNetSlice<'_>) -> Option<(IpAddr, IpAddr)> {
    match net {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            Some((header.source_addr().into(), header.destination_addr().into()))
        }
        LaxNetSlice::Ipv6(ip) => {
            let header = ip.header();
            Some((header.source_addr().into(), header.destination_addr().into()))
        }
        LaxNetSlice::Arp(_) => None,
    }
}

impl PacketReader {
    fn packet(&mut self, packet: &LaxSlicedPacket<'_>) {
        let Some(net) = &packet.net else { return };
        if net.ip_payload_ref().is_some_and(|payload| payload.fragmented) {
            self.losses.fragments += 1;
        }
        let Some((from, to)) = addresses(net) else { return };
        match &packet.transport {
            Some(TransportSlice::Udp(datagram)) => self.udp(from, datagram.payload()),
            Some(TransportSlice::Tcp(segment)) => self.tcp(from, to, segment),
            _ => {}
        }
    }

    fn udp(&mut self, from: IpAddr, payload: &[u8]) {
        if let Ok((message, _)) = SipMessage::read(payload) {
            self.found.push(Sent { from, message });
        }
    }

    /// RFC 9293: segments in their order; those that come early or twice are left out and counted.
    fn tcp(&mut self, from: IpAddr, to: IpAddr, segment: &TcpSlice<'_>) {
        let key = (from, to, [segment.source_port(), segment.destination_port()]);
        let (sequence, payload) = (segment.sequence_number(), segment.payload());
        let (finished, opens) = (segment.fin() || segment.rst(), segment.syn());
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
