"""The network between guests, the page and the outside: connections both ways, what may leave, names.

sockets   system calls of init's sockets                              (kernel worker)
gate      connections and name queries that want out                 (kernel worker)
policy    who may talk to whom: default deny, and the audit log      (page)
names     DNS messages, and addresses that stand for names           (page)
outside   RuntimeNet: `rt.net`                                       (page)
http      requests to guests' servers, for the preview              (page)
websocket WebSockets to them                                        (page)
fetch     a backend: plain HTTP by the browser's own fetch
wisp      a backend: many connections through one WebSocket
"""
