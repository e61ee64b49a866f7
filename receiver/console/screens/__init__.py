"""The screens, one module each, and the table of them."""
