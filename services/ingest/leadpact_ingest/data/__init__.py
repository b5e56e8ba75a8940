"""Lists that the normalisers read: country names, header words, mail domains. Data only."""
