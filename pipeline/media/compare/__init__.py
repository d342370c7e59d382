"""The witness: what of one file another one holds, whoever made them."""
