// Runs inside the extension host of a real VS Code: what only code with the `vscode` module can see.
const assert = require("node:assert/strict");
const vscode = require("vscode");

const ID = "assist-lsp.assist";
const READY_MS_MAX = 60_000;

const tests = {
    async "the extension activates and its server runs"() {
        const api = await activated();
        await until(() => api.status() === "ready", "the status becomes ready");
        assert.equal(api.server.client.isRunning(), true);
        assert.equal(api.server.client.initializeResult.serverInfo.name, "assist");
    },

    async "every declared command is registered"() {
        await activated();
        const declared = vscode.extensions.getExtension(ID).packageJSON.contributes.commands;
        const registered = new Set(await vscode.commands.getCommands(true));
        for (const { command } of declared) {
            assert.ok(registered.has(command), command);
        }
    },

    async "the server's status names its model"() {
        const api = await activated();
        await until(() => api.status() === "ready", "the status becomes ready");
        const status = await api.server.client.sendRequest("workspace/executeCommand", {
            command: "assist.status",
            arguments: [],
        });
        assert.equal(typeof status.model.name, "string");
    },

    async "a language that is turned off shows as paused"() {
        const api = await activated();
        const editor = await openPython("x = 1\n");
        await vscode.commands.executeCommand("assist.pauseLanguage");
        await until(() => api.status() === "paused", "the status becomes paused");
        const languages = vscode.workspace.getConfiguration("assist").get("completion.languages");
        assert.ok(languages.includes(`!${editor.document.languageId}`));
        await vscode.commands.executeCommand("assist.pauseLanguage");
        await until(() => api.status() !== "paused", "the pause ends");
    },

    async "the server hears what was shown and which part was taken"() {
        const api = await activated();
        await until(() => api.status() === "ready", "the status becomes ready");
        const { client } = api.server;
        const sent = [];
        const send = client.sendNotification;
        client.sendNotification = function (method, params) {
            sent.push({ method, params });
            return send.call(this, method, params);
        };
        const last = (method) => sent.findLast((each) => each.method === method)?.params;
        const text =
            "def read_lines(path):\n    return open(path).readlines()\n\n\ndef read_text(pa";
        const editor = await openPython(text);
        const end = editor.document.positionAt(text.length);
        editor.selection = new vscode.Selection(end, end);
        await vscode.commands.executeCommand("editor.action.inlineSuggest.trigger");
        await until(() => last("textDocument/didShowCompletion"), "a proposal is shown");
        const { item } = last("textDocument/didShowCompletion");
        assert.equal(typeof item.command.arguments[0], "string");
        const word = "editor.action.inlineSuggest.acceptNextWord";
        await until(async () => {
            await vscode.commands.executeCommand(word);
            return (
                last("textDocument/didPartiallyAcceptCompletion") ??
                editor.document.getText() !== text
            );
        }, "a part is taken");
        const part = last("textDocument/didPartiallyAcceptCompletion");
        const taken = editor.document.getText().slice(text.length);
        assert.ok(item.insertText.startsWith(taken), `${taken} of ${item.insertText}`);
        if (taken.length > 1 && taken.length < item.insertText.length) {
            assert.equal(part.acceptedLength, taken.length);
        }
        client.sendNotification = send;
    },

    async "functions carry a code lens where the user wants it"() {
        await activated();
        const text =
            'def f():\n    def g():\n        pass\n\nclass A:\n    """A."""\n    def h(self):\n        pass\n';
        const { document } = await openPython(text);
        const settings = vscode.workspace.getConfiguration("assist");
        const lines = async () => {
            const lenses = await vscode.commands.executeCommand(
                "vscode.executeCodeLensProvider",
                document.uri,
            );
            return lenses
                .filter((lens) => lens.command?.command === "assist.suggestFunction")
                .map((lens) => lens.range.start.line);
        };
        assert.deepEqual(await lines(), []);
        await settings.update("codeLens", true, vscode.ConfigurationTarget.Global);
        assert.deepEqual(await lines(), [0, 6]);
        await settings.update("codeLens", undefined, vscode.ConfigurationTarget.Global);
        assert.deepEqual(await lines(), []);
    },

    async "a restart leaves a running server"() {
        const api = await activated();
        await vscode.commands.executeCommand("assist.restartServer");
        await until(() => api.status() === "ready", "the status becomes ready");
        assert.equal(api.server.client.isRunning(), true);
    },
};

async function activated() {
    await openPython("import os\n");
    return vscode.extensions.getExtension(ID).activate();
}

async function openPython(content) {
    const document = await vscode.workspace.openTextDocument({ language: "python", content });
    return vscode.window.showTextDocument(document);
}

async function until(condition, what) {
    const end = Date.now() + READY_MS_MAX;
    while (!(await condition())) {
        if (Date.now() > end) {
            throw new Error(`waited in vain until ${what}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
}

exports.run = async function run() {
    const failures = [];
    for (const [name, body] of Object.entries(tests)) {
        try {
            await body();
            console.log(`ok ${name}`);
        } catch (error) {
            console.log(`not ok ${name}: ${error.stack ?? error}`);
            failures.push(name);
        }
    }
    if (failures.length > 0) {
        throw new Error(`failed: ${failures.join("; ")}`);
    }
};
