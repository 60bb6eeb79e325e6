//! Secret references, the tokens that stand for them, and the places they may go.
