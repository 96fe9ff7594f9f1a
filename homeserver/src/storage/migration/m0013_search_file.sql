-- On SQLite the words are in a file of their own beside the database, which is made anew from the events.
@sqlite DROP TABLE search_index;
@sqlite DROP TABLE search_progress;
