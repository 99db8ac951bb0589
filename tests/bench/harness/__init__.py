"""Muniment beside OpenSSH's own SFTP server: the same clients, the same machine, in turn.

`servers` starts both, `clients` are what branches use, `cost` counts processor time and memory of all of a server's processes,
`rounds` takes turns and says what came of it, `tables` writes it down; what is measured stands in `scenarios`, a file each.
"""
