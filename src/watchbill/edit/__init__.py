"""Fleet files edited as text: what an edit does not have to touch keeps every byte, comments and order included.

`change.edit` is pure, from text and changes to text. `file` reads and replaces the file itself.
"""
