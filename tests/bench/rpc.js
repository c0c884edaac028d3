// The peer for JSON-RPC: Node's own http server, doing what an echo needs and nothing else.
const http = require('http');
http.createServer((request, response) => {
    const pieces = [];
    request.on('data', (piece) => pieces.push(piece));
    request.on('end', () => {
        let answer;
        try {
            const call = JSON.parse(Buffer.concat(pieces).toString());
            if (call.method !== 'echo' || typeof call.params?.message !== 'string') throw new Error('no such call');
            answer = { jsonrpc: '2.0', result: call.params.message, id: call.id };
        } catch (error) {
            answer = { jsonrpc: '2.0', error: { code: -32601, message: error.message }, id: null };
        }
        const text = Buffer.from(JSON.stringify(answer));
        response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': text.length });
        response.end(text);
    });
}).listen(Number(process.argv[2]), '127.0.0.1');
