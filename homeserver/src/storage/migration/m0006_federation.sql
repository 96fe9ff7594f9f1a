-- owner: messaging. kept: until the destination has answered for it. EDUs that must arrive (to-device, device lists); what may be
-- lost (typing, receipts, presence) is never here.
CREATE TABLE outbound_edus (
    destination TEXT NOT NULL,
    position {int} NOT NULL,
    edu TEXT NOT NULL,
    PRIMARY KEY (destination, position)
) {strict};
