//! Enums whose every variant is one word.

/// Declares an enum with the word of each variant: `ALL` of them, in this order, and `name`, which is also how it is shown.
macro_rules! words {
    ($(#[$of:meta])* $sight:vis enum $name:ident { $($(#[$of_variant:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$of])*
        $sight enum $name {
            $($(#[$of_variant])* $variant,)+
        }

        impl $name {
            /// All there are.
            $sight const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// Its word.
            $sight const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

/// Reads an enum of `words!` by the word of a variant; any other text is the fault.
macro_rules! read_words {
    ($name:ident, $fault:ident) => {
        impl std::str::FromStr for $name {
            type Err = $fault;

            fn from_str(text: &str) -> Result<Self, $fault> {
                Self::ALL
                    .into_iter()
                    .find(|one| one.name() == text)
                    .ok_or($fault)
            }
        }
    };
}

pub(crate) use {read_words, words};

#[cfg(test)]
mod tests {
    words! {
        #[derive(Debug, Clone, Copy, PartialEq)]
        enum Side {
            Left = "left",
            Right = "right",
        }
    }

    #[derive(Debug, PartialEq)]
    struct NoSide;

    read_words!(Side, NoSide);

    #[test]
    fn every_variant_has_its_word_in_the_order_of_the_declaration() {
        assert_eq!(Side::ALL, [Side::Left, Side::Right]);
        assert_eq!(Side::ALL.map(Side::name), ["left", "right"]);
        assert_eq!(Side::Right.to_string(), "right");
    }

    #[test]
    fn a_word_is_read_back_and_no_other_text() {
        assert_eq!("left".parse(), Ok(Side::Left));
        assert_eq!("Left".parse::<Side>(), Err(NoSide));
    }
}
