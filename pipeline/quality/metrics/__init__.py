"""The measures of an edit, one file each: values in and values out."""
