delete from usual.staging_events;
copy usual.staging_events from 's3://{{ lake }}/log_data' iam_role '{{ role }}'
format as json 'auto ignorecase' timeformat 'epochmillisecs' emptyasnull;
delete from usual.staging_songs;
copy usual.staging_songs from 's3://{{ lake }}/song_data' iam_role '{{ role }}'
format as json 'auto';
