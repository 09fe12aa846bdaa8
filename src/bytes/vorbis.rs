//! What the setup header of Vorbis asks of whoever decodes it (Vorbis I specification, sections 3.2.1 and 4.2.4).
//!
//! A book of 131 072 vectors is stated in 21 bytes, and the borrowed decoder makes the tables of all 256 books before it
//! looks at anything else: six kilobytes would take 38 GB. So their sizes are added up first.

/// How many numbers the tables of all books may hold, of eight bytes at most. Libvorbis' hold up to 190 000, at
/// every rate and quality.
const MOST_NUMBERS: u64 = 1 << 20;

/// Bytes of the identification header, behind which the setup header stands in what Symphonia's readers hand on.
const IDENTIFICATION: usize = 30;

/// What every book begins with.
const SYNC: u32 = 0x56_4342;

/// The longest word of a book, in bits.
const LONGEST: usize = 32;

/// Whether the tables of a stream with these two headers, one behind the other, are of a size that is accepted.
///
/// # Errors
/// What is wrong with the setup header.
pub(super) fn check(headers: &[u8]) -> Result<(), String> {
    let setup = headers.get(IDENTIFICATION..).unwrap_or_default();
    let Some(setup) = setup.strip_prefix(b"\x05vorbis") else {
        return Err("it has no Vorbis setup header".into());
    };
    let broken = |number: u32| format!("codebook {number} of its Vorbis setup header is broken");
    let mut bits = Bits { bytes: setup, at: 0 };
    let books = bits.take(8).ok_or_else(|| broken(0))? + 1;
    let mut numbers = 0;
    for number in 0..books {
        numbers += bits.book().ok_or_else(|| broken(number))?;
        if numbers > MOST_NUMBERS {
            return Err(format!(
                "its Vorbis codebooks hold {numbers} numbers or more, and {MOST_NUMBERS} are accepted"
            ));
        }
    }
    Ok(())
}

/// Bits of a header, the lowest of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for place in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value |= u32::from(byte >> (self.at % 8) & 1) << place;
            self.at += 1;
        }
        Some(value)
    }

    /// Walks over a book: how many numbers its tables hold, or its vectors alone where those are too many.
    fn book(&mut self) -> Option<u64> {
        if self.take(24)? != SYNC {
            return None;
        }
        let (dimensions, entries) = (self.take(16)?, self.take(24)?);
        if dimensions == 0 {
            return None;
        }
        let vectors = u64::from(entries) * u64::from(dimensions);
        if vectors > MOST_NUMBERS {
            return Some(vectors);
        }
        let words = self.words(entries)?;
        self.pass_values(entries, dimensions)?;
        Some(vectors + tables(&words))
    }

    /// How many words of a book have each length.
    fn words(&mut self, entries: u32) -> Option<[u32; LONGEST + 1]> {
        let mut words = [0; LONGEST + 1];
        if self.take(1)? == 1 {
            let mut length = self.take(5)? as usize + 1;
            let mut left = entries;
            while left > 0 {
                let count = self.take(u32::BITS - left.leading_zeros())?;
                *words.get_mut(length)? += count;
                left = left.checked_sub(count)?;
                length += 1;
            }
            return Some(words);
        }
        let sparse = self.take(1)? == 1;
        for _ in 0..entries {
            if !sparse || self.take(1)? == 1 {
                words[self.take(5)? as usize + 1] += 1;
            }
        }
        Some(words)
    }

    /// Walks over the numbers of which the vectors are made.
    fn pass_values(&mut self, entries: u32, dimensions: u32) -> Option<()> {
        let values = match self.take(4)? {
            0 => return Some(()),
            // The largest number whose power is no more than the entries, in the arithmetic of the decoder.
            1 => (entries as f32).powf(1.0 / dimensions as f32).floor() as usize,
            2 => entries as usize * dimensions as usize,
            _ => return None,
        };
        // The least value and the step.
        self.at += 64;
        let width = self.take(4)? as usize + 1;
        self.at += 1 + values * width;
        Some(())
    }
}

/// How many numbers the decoder's tables of a book hold in which words are looked up by eight bits at a time: 256 for
/// the first bits, and 256 for each beginning of 8, 16 and 24 bits with which longer words go on.
fn tables(words: &[u32; LONGEST + 1]) -> u64 {
    let longest = words.iter().rposition(|&count| count > 0).unwrap_or(0);
    let (mut tables, mut beginnings) = (1, 1u64);
    for (length, &count) in words.iter().enumerate().take(longest).skip(1) {
        // Each beginning goes on with a 0 or a 1, unless it is a whole word.
        beginnings = (2 * beginnings).saturating_sub(u64::from(count));
        if length % 8 == 0 {
            tables += beginnings;
        }
    }
    256 * tables
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Headers with these bits behind the name of the setup header: values and their widths.
    fn headers(bits: &[(u64, usize)]) -> Vec<u8> {
        let ones: Vec<u8> = bits
            .iter()
            .flat_map(|&(value, width)| (0..width).map(move |place| (value >> place & 1) as u8))
            .collect();
        let packed = ones
            .chunks(8)
            .map(|eight| eight.iter().rev().fold(0u8, |byte, &bit| byte << 1 | bit));
        let mut headers = vec![0; IDENTIFICATION];
        headers.extend(b"\x05vorbis");
        headers.extend(packed);
        headers
    }

    /// A book of so many words of one length, without vectors.
    fn book(dimensions: u64, entries: u64, length: u64) -> Vec<(u64, usize)> {
        let mut bits = vec![(0x56_4342, 24), (dimensions, 16), (entries, 24), (0, 2)];
        bits.extend((0..entries).map(|_| (length - 1, 5)));
        bits.push((0, 4));
        bits
    }

    #[test]
    fn a_few_bytes_that_state_large_books_are_refused() {
        let ordered = [
            (0x56_4342, 24),
            (32, 16),
            (131_072, 24),
            (1, 1),
            (16, 5),
            (131_072, 18),
            (0, 4),
        ];
        let said = check(&headers(&[&[(255, 8)][..], &ordered[..]].concat())).unwrap_err();
        assert!(said.contains("hold 4194304 numbers or more"), "{said}");
    }

    #[test]
    fn the_tables_of_all_books_are_added_up() {
        // 4096 words of 12 bits: 256 beginnings go on behind the first eight.
        let one = book(1, 4_096, 12);
        let all = |count: usize| {
            let books = std::iter::repeat_n(one.clone(), count).flatten();
            let counted = std::iter::once((count as u64 - 1, 8)).chain(books);
            check(&headers(&counted.collect::<Vec<_>>()))
        };
        assert_eq!(all(15), Ok(()));
        assert!(all(16).unwrap_err().contains("numbers or more"));
    }

    #[test]
    fn a_book_of_one_word_and_a_book_of_none_are_read() {
        let sparse_of_none = vec![(0x56_4342, 24), (1, 16), (2, 24), (0b10, 2), (0, 2), (0, 4)];
        let bits = [vec![(1, 8)], book(1, 1, 1), sparse_of_none].concat();
        assert_eq!(check(&headers(&bits)), Ok(()));
    }

    #[test]
    fn a_setup_header_that_is_cut_or_has_words_of_33_bits_is_broken() {
        let whole = headers(&[vec![(0, 8)], book(1, 256, 8)].concat());
        assert_eq!(check(&whole), Ok(()));
        assert!(
            check(&whole[..whole.len() - 2])
                .unwrap_err()
                .contains("codebook 0")
        );
        assert!(check(&whole[..20]).is_err());
        // Two words in order of their lengths, of 32 and of 33 bits.
        let too_long = [
            (0, 8),
            (0x56_4342, 24),
            (1, 16),
            (2, 24),
            (1, 1),
            (31, 5),
            (1, 2),
            (1, 1),
            (0, 4),
        ];
        assert!(check(&headers(&too_long)).unwrap_err().contains("broken"));
    }
}
