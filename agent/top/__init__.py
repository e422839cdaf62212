"""`vedette top`: what the running agent writes, as a live view. Reads its log and its status, and changes nothing.

follow ─► feed ─► view ─► snapshot ─► pages ─► terminal          choice: what the keys have chosen
 bytes   records  counts   values      text     screen, keys
"""
