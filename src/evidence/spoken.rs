//! Digits that were said or typed, in the words of a transcript.

/// The most digits that are read: no PIN is longer.
const MAX_DIGITS: usize = 16;

/// What Vapi writes before digits typed on a keypad.
const KEYPAD_ENTRY: &str = "keypad entry:";

/// Words of numbers above nine.
const ABOVE_NINE: &[&str] = &[
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
    "thirty",
    "forty",
    "fourty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
    "hundred",
    "thousand",
];

/// The digits in `text`, as in `four eight two one`, `48 21`, `double four, oh seven` or `User's Keypad Entry:
/// 4821`. `None` when there are none, or more than any PIN has.
///
/// Words that are no digits are passed over (`my pin is …`); where one is a number above nine nothing is read, for
/// `forty-eight twenty-one` and `four thousand …` mean different digits to different people.
pub fn digits(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let said = lower
        .rfind(KEYPAD_ENTRY)
        .map_or(lower.as_str(), |at| &lower[at + KEYPAD_ENTRY.len()..]);
    let mut found = String::new();
    let mut times = 1;
    let mut after_digit = false;
    let words = said.split(|sign: char| !sign.is_alphanumeric());
    let mut words = words.filter(|word| !word.is_empty()).peekable();
    while let Some(word) = words.next() {
        if ABOVE_NINE.contains(&word) {
            return None;
        }
        if let Some(many) = repetition(word) {
            (times, after_digit) = (many, true);
            continue;
        }
        // A letter in `O'Brien` and `four o'clock`, and alone.
        let is_letter = word == "o" && !words.peek().map_or(after_digit, |next| is_of_digits(next));
        let read = word_digit(word).map(String::from).or_else(|| written(word));
        let read = read.filter(|_| !is_letter);
        after_digit = read.is_some();
        let Some(read) = read else {
            times = 1;
            continue;
        };
        // `double four` is two fours; before several digits it belongs to the first.
        let mut signs = read.chars();
        found.extend(
            signs
                .next()
                .into_iter()
                .flat_map(|first| std::iter::repeat_n(first, times)),
        );
        found.extend(signs);
        times = 1;
        if found.len() > MAX_DIGITS {
            return None;
        }
    }
    (!found.is_empty()).then_some(found)
}

fn is_of_digits(word: &str) -> bool {
    word_digit(word).is_some() || written(word).is_some() || repetition(word).is_some()
}

fn repetition(word: &str) -> Option<usize> {
    match word {
        "double" => Some(2),
        "triple" | "treble" => Some(3),
        _ => None,
    }
}

fn written(word: &str) -> Option<String> {
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| word.to_owned())
}

/// A digit's word, with what speech recognition often makes of it.
fn word_digit(word: &str) -> Option<char> {
    Some(match word {
        "zero" | "oh" | "o" | "nought" | "naught" | "nil" => '0',
        "one" | "won" => '1',
        "two" | "too" => '2',
        "three" => '3',
        "four" | "fore" => '4',
        "five" => '5',
        "six" => '6',
        "seven" => '7',
        "eight" | "ate" => '8',
        "nine" | "niner" => '9',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_however_they_were_said() {
        for (text, read) in [
            ("four eight two one", "4821"),
            ("48 21", "4821"),
            ("4-8-2-1.", "4821"),
            ("User's Keypad Entry: 4821", "4821"),
            ("My PIN is four, eight, two, one, thanks", "4821"),
            ("double four oh seven", "4407"),
            ("triple 9 1", "9991"),
            ("Four EIGHT 21", "4821"),
            ("double 48", "448"),
            ("It's O'Brien, four eight two one", "4821"),
            ("at four o'clock", "4"),
            ("four o eight o", "4080"),
            ("seven double o one", "7001"),
            ("double o seven", "007"),
            ("o four eight one", "0481"),
            ("my PIN is o four eight one two", "04812"),
        ] {
            assert_eq!(digits(text).as_deref(), Some(read), "{text}");
        }
    }

    #[test]
    fn words_without_digits_and_floods_of_them_are_nothing() {
        for text in ["", "hello", "double", "o", "User's Keypad Entry:", "１２３４"] {
            assert_eq!(digits(text), None, "{text}");
        }
        assert_eq!(digits(&"1".repeat(100_000)), None);
        assert_eq!(digits(&"nine ".repeat(100_000)), None);
    }

    #[test]
    fn numbers_above_nine_in_words_make_no_pin() {
        for text in [
            "forty",
            "thirty four fifty six two one",
            "twenty four eight one two",
            "forty-eight twenty-one",
            "four thousand eight hundred and 21",
            "four eight, Nineteen",
        ] {
            assert_eq!(digits(text), None, "{text}");
        }
        let typed = "my number is twenty four. User's Keypad Entry: 4821";
        assert_eq!(digits(typed).as_deref(), Some("4821"));
    }
}
