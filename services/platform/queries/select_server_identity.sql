-- Which server process answers, whatever stands between: its own address and when it was started.
SELECT pg_is_in_recovery() AS in_recovery,
       concat_ws(' ', inet_server_addr(), inet_server_port(), pg_postmaster_start_time()) AS identity
