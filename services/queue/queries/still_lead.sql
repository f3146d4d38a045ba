-- Answers as long as the connection lasts, and with it its advisory locks.
SELECT true AS leads
