"""What is said: events, origins, policies, verdicts, records. Pure: no file, socket, clock or thread in here."""
