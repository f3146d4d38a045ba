-- Begins a session.
-- $1 id, $2 user id, $3 company id, $4 generation, $5 now, $6 when its refresh token stops working
INSERT INTO sessions (id, user_id, company_id, generation, rotated_at, expires_at, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $5, $5)
