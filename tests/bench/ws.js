// The peer for WebSockets: npm's ws, as its manual has it.
const { WebSocketServer } = require('ws');
const server = new WebSocketServer({ port: Number(process.argv[2]), host: '127.0.0.1', perMessageDeflate: false });
server.on('connection', (peer, request) => {
    const all = request.url === '/ws/all';
    peer.on('message', (data, binary) => {
        if (!all) return peer.send(data, { binary });
        for (const other of server.clients) other.send(data, { binary });
    });
});
