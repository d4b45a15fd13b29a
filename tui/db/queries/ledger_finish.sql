-- The last of a run before its COMMIT. $4 stands for the catalog after it, where that is not the state the run promises.
update patchdeck.runs
   set finished_at = clock_timestamp(), seconds = $2::double precision, lock_seconds = $3::double precision,
       surface_after = coalesce($4::jsonb, surface_after)
 where run_id = $1::uuid
