// SPDX-License-Identifier: Apache-2.0

// The independent verifier: Go's own sumdb/note and tlog judge what Gatehouse wrote, and write what it has to judge.
//
// It reads one JSON object a line from standard input and answers each with one line: what was asked for, or "error".
package main

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8

type question struct {
	Op     string   `json:"op"`
	Keys   []string `json:"keys"`
	Signer string   `json:"signer"`
	Name   string   `json:"name"`
	Note   []byte   `json:"note"`
	Text   string   `json:"text"`
	Leaf   []byte   `json:"leaf"`
	Entry  []byte   `json:"entry"`
	Hashes [][]byte `json:"hashes"`
	Root   []byte   `json:"root"`
	Older  []byte   `json:"older"`
	Index  int64    `json:"index"`
	First  int64    `json:"first"`
	Size   int64    `json:"size"`
	Folder string   `json:"folder"`
}

type answer struct {
	Error    string   `json:"error,omitempty"`
	Names    []string `json:"names,omitempty"`
	Unknown  int      `json:"unknown,omitempty"`
	Origin   string   `json:"origin,omitempty"`
	Size     int64    `json:"size,omitempty"`
	Root     []byte   `json:"root,omitempty"`
	Note     []byte   `json:"note,omitempty"`
	Signer   string   `json:"signer,omitempty"`
	Verifier string   `json:"verifier,omitempty"`
	Leaf     []byte   `json:"leaf,omitempty"`
	Hashes   [][]byte `json:"hashes,omitempty"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	write := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var asked question
		told, err := answer{}, json.Unmarshal(lines.Bytes(), &asked)
		if err == nil {
			told, err = reply(asked)
		}
		if err != nil {
			told = answer{Error: err.Error()}
		}
		if err := write.Encode(told); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func reply(asked question) (answer, error) {
	switch asked.Op {
	case "generate":
		signer, verifier, err := note.GenerateKey(rand.Reader, asked.Name)
		return answer{Signer: signer, Verifier: verifier}, err
	case "sign":
		signer, err := note.NewSigner(asked.Signer)
		if err != nil {
			return answer{}, err
		}
		signed, err := note.Sign(&note.Note{Text: asked.Text}, signer)
		return answer{Note: signed}, err
	case "open":
		return open(asked)
	case "leaf":
		leaf := tlog.RecordHash(asked.Entry)
		return answer{Leaf: leaf[:]}, nil
	case "inclusion":
		return answer{}, tlog.CheckRecord(hashes(asked.Hashes), asked.Size, hash(asked.Root), asked.Index, hash(asked.Leaf))
	case "consistency":
		return answer{}, tlog.CheckTree(hashes(asked.Hashes), asked.Size, hash(asked.Root), asked.First, hash(asked.Older))
	case "prove-inclusion":
		proof, err := tlog.ProveRecord(asked.Size, asked.Index, reader(asked))
		return answer{Hashes: raw(proof)}, err
	case "prove-consistency":
		proof, err := tlog.ProveTree(asked.Size, asked.First, reader(asked))
		return answer{Hashes: raw(proof)}, err
	}
	return answer{}, errors.New("unknown op")
}

func open(asked question) (answer, error) {
	var known []note.Verifier
	for _, key := range asked.Keys {
		verifier, err := note.NewVerifier(key)
		if err != nil {
			return answer{}, err
		}
		known = append(known, verifier)
	}
	opened, err := note.Open(asked.Note, note.VerifierList(known...))
	if err != nil {
		return answer{}, err
	}
	told := answer{Unknown: len(opened.UnverifiedSigs)}
	for _, signature := range opened.Sigs {
		told.Names = append(told.Names, signature.Name)
	}
	// tlog.ParseTree insists on the first line of Go's own checksum database; a checkpoint has the log's origin there.
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return answer{}, errors.New("a checkpoint has three lines")
	}
	told.Origin = lines[0]
	if told.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return answer{}, err
	}
	told.Root, err = base64.StdEncoding.DecodeString(lines[2])
	return told, err
}

// reader reads hashes out of the tiles of a folder; tlog checks each tile against the root before it uses it.
func reader(asked question) tlog.HashReader {
	return tlog.TileHashReader(tlog.Tree{N: asked.Size, Hash: hash(asked.Root)}, folder(asked.Folder))
}

type folder string

func (f folder) Height() int { return tileHeight }

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var read [][]byte
	for _, tile := range tiles {
		// Go's paths begin with the height; C2SP fixes it and leaves it out.
		path := "tile/" + strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", tileHeight))
		data, err := os.ReadFile(filepath.Join(string(f), filepath.FromSlash(path)))
		if err != nil {
			return nil, err
		}
		read = append(read, data)
	}
	return read, nil
}

func hash(data []byte) (h tlog.Hash) {
	if len(data) == tlog.HashSize {
		copy(h[:], data)
	}
	return h
}

func hashes(data [][]byte) (list []tlog.Hash) {
	for _, each := range data {
		list = append(list, hash(each))
	}
	return list
}

func raw(list []tlog.Hash) (data [][]byte) {
	for _, each := range list {
		data = append(data, append([]byte(nil), each[:]...))
	}
	return data
}
