//! Enums whose every variant is one word.

/// Declares an enum with the word of each variant: `ALL` of them, in this order, and `name`.
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
    };
}

pub(crate) use words;

#[cfg(test)]
mod tests {
    words! {
        #[derive(Debug, Clone, Copy, PartialEq)]
        enum Side {
            Left = "left",
            Right = "right",
        }
    }

    #[test]
    fn every_variant_has_its_word_in_the_order_of_the_declaration() {
        assert_eq!(Side::ALL, [Side::Left, Side::Right]);
        assert_eq!(Side::ALL.map(Side::name), ["left", "right"]);
    }
}
